//! A client over TCP or a Unix socket, with or without TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};

use super::PATIENCE;
use super::tls::NAME;

/// The socket of a client.
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub fn tcp(address: SocketAddr) -> Self {
        let stream = super::connect(address);
        stream.set_nodelay(true).unwrap();
        Self::Tcp(stream)
    }

    pub fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::Unix(stream)
    }

    /// Sends a FIN.
    pub fn finish(&self) {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
        .unwrap();
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client that may speak TLS.
pub struct Client {
    pub socket: Socket,
    pub tls: Option<ClientConnection>,
}

impl Client {
    pub fn plain(socket: Socket) -> Self {
        Self { socket, tls: None }
    }

    /// A client whose handshake takes place with the first read or write.
    pub fn tls(socket: Socket, config: &Arc<ClientConfig>) -> Self {
        let mut client = Self::plain(socket);
        client.begin_tls(config);
        client
    }

    pub fn begin_tls(&mut self, config: &Arc<ClientConfig>) {
        let name = NAME.try_into().unwrap();
        self.tls = Some(ClientConnection::new(Arc::clone(config), name).unwrap());
    }

    /// Performs the handshake.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn handshake(&mut self) -> io::Result<()> {
        let tls = self.tls.as_mut().unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        Ok(())
    }

    /// Sends a close_notify over TLS, and a FIN.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut self.socket).unwrap();
            }
        }
        self.socket.finish();
    }
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).read(buffer),
        }
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => {
                let mut stream = rustls::Stream::new(tls, &mut self.socket);
                let count = stream.write(bytes)?;
                stream.flush()?;
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
