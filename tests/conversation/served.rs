//! Servers of their own kind: on a Unix socket, with a login, early listeners, short messages.

use super::{described, judged};
use crate::support::battery::data;
use crate::support::skip::is_thorough;

#[test]
fn a_server_that_does_not_close_is_told_as_such() {
    if !is_thorough() {
        return;
    }
    let talk = r#"
[talk]
frame = { until = "\n" }
close = "server-after-reply"
[[talk.open]]
expect = { regex = '^220 (?P<word>\w+) ready\n$' }
[[talk.turn]]
send = "LOGIN {word}\n"
expect = "230 welcome\n"
"#;
    let Some(checked) = judged("greeting", talk) else {
        return;
    };
    assert_eq!(checked.code(), 3, "{}", checked.shown());
    let message = checked.report["error"]["message"]
        .as_str()
        .expect("a message");
    assert!(
        message.contains("expected the server closes the connection after its reply")
            && message.contains("but the reply is complete, but the connection is still open"),
        "{message}"
    );
}

#[test]
fn a_server_on_a_unix_socket_needs_no_port() {
    let text = r#"
[server]
name = "echo"
cmd = ["python3", "{tmp}/echo.py", "{tmp}/echo.sock"]
[server.files]
"echo.py" = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 64
Server(sys.argv[1], Echo).serve_forever()
"""
[transport]
unix = "{tmp}/echo.sock"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;
    let Some(checked) = described(text, &["split-*"]) else {
        return;
    };
    assert_eq!(checked.code(), 0, "{}", checked.shown());
}

#[test]
fn half_a_request_is_half_of_what_a_client_says_first() {
    let text = r#"
[server]
name = "login"
cmd = ["python3", "{tmp}/login.py", "{port}"]
[server.files]
"login.py" = """
import asyncio, sys
async def serve(reader, writer):
    try:
        # Anything but a login ends the connection at once.
        if await reader.readexactly(1) == b"L" and await reader.readline() == b"OGIN\\n":
            writer.write(b"welcome\\n")
            while line := await reader.readline():
                writer.write(line)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=512)
    await server.serve_forever()
asyncio.run(main())
"""
[talk]
frame = { until = "\n" }
[[talk.open]]
send = "LOGIN\n"
expect = "welcome\n"
[[talk.turn]]
send = "echo {tok}\n"
expect = "echo {tok}\n"
"#;
    let Some(checked) = described(text, &["hol-partial"]) else {
        return;
    };
    assert_eq!(checked.ids("pass"), ["hol-partial"], "{}", checked.shown());
}

#[test]
fn a_server_that_listens_early_is_given_time_with_few_descriptors() {
    let text = r#"
[server]
name = "early"
cmd = ["python3", "{tmp}/early.py", "{port}"]
ready = "exchange"
[server.files]
"early.py" = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
# The first three clients are sent away.
for _ in range(3):
    listener.accept()[0].close()
while True:
    connection, _ = listener.accept()
    while data := connection.recv(4096):
        connection.sendall(data)
    connection.close()
"""
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;
    let Some(checked) = described(text, &["emfile-start"]) else {
        return;
    };
    assert_eq!(checked.ids("pass"), ["emfile-start"], "{}", checked.shown());
}

#[test]
fn a_server_of_short_messages_has_no_buffer_to_exceed() {
    let script = data("asyncio_line.py");
    let text = format!(
        r#"
[server]
cmd = ["python3", {script:?}, "{{port}}"]
[promise]
max_message = 512
[talk]
frame = {{ until = "\n" }}
[[talk.turn]]
send = "{{tok}} {{payload}}\n"
expect = "{{tok}} {{payload}}\n"
"#
    );
    let Some(checked) = described(&text, &["over-buffer", "utf8-split-buffer"]) else {
        return;
    };
    let skipped = checked.ids("skip");
    assert_eq!(
        skipped,
        ["utf8-split-buffer", "over-buffer"],
        "{}",
        checked.shown()
    );
    for id in skipped {
        let reason = checked.outcome(id)["reason"].as_str().expect("a reason");
        assert!(reason.contains("max_message"), "{id}: {reason}");
    }
}
