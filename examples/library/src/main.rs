//! A small server to be proved: it answers each line with `ok, ` and that line, and refuses a line that is too long.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// The longest line in bytes, with its end.
const LINE_MAX: usize = 4096;
/// A client that sends nothing for so long is left.
const IDLE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "7000".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    loop {
        // Without a free descriptor there may be one in a moment.
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        };
        // If no thread can be started, this client is closed, and no other.
        let _ = std::thread::Builder::new().spawn(move || serve(&client));
    }
}

/// Serves one client until it leaves.
fn serve(client: &TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(IDLE))?;
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client);
    let mut writer = client;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader)
            .take(LINE_MAX as u64)
            .read_until(b'\n', &mut line)?;
        match line.last() {
            Some(b'\n') => {
                let reply = [b"ok, ", line.as_slice()].concat();
                writer.write_all(&reply)?;
            }
            // It left, perhaps in the middle of a line.
            _ if read < LINE_MAX => return Ok(()),
            _ => {
                writer.write_all(b"TOO LONG\n")?;
                return client.shutdown(Shutdown::Both);
            }
        }
    }
}
