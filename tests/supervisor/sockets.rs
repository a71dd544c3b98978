//! Servers whose listening socket tcprove opens: one process per connection (inetd), and socket activation.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tcprove::process::{Exit, Launch, Listening, Server, StartFailure, StartOptions};

use super::programs::{python, run, shell, start, start_failure, until};

fn stdio(mut launch: Launch) -> Launch {
    launch.listening = Listening::PerConnection;
    launch
}

fn activated(script: &str) -> Option<Launch> {
    let mut launch = python(script)?;
    launch.listening = Listening::Inherited { name: "web".into() };
    Some(launch)
}

/// A client that has been served a line.
fn client(server: &Server) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(server.addr().unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut client = BufReader::new(stream);
    client.get_mut().write_all(b"hello\n").unwrap();
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n");
    client
}

fn rest(mut client: BufReader<TcpStream>) -> Vec<u8> {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    rest
}

#[tokio::test]
async fn each_connection_has_a_process() {
    let launch = stdio(shell("echo starts >&2; exec cat"));
    let server = start(&launch).await;
    assert_eq!(server.tree().len(), 1, "the acceptor");
    assert_eq!(server.listener().map(|found| found.addr), server.addr());
    assert_eq!(server.printed().stderr, 0, "no process yet");
    let (one, two) = (client(&server), client(&server));
    until("two processes", || (server.tree().len() == 3).then_some(())).await;
    until("what both printed", || {
        (server.output().stderr_tail == "starts\nstarts\n").then_some(())
    })
    .await;
    assert_eq!(server.output().stdout_bytes, 0, "stdout is the connection");
    one.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(one), b"");
    until("the end of one", || {
        (server.tree().len() == 2).then_some(())
    })
    .await;
    drop(two);
    until("the end of both", || {
        (server.tree().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_the_processes_of_connections_too() {
    let server = start(&stdio(shell("exec cat"))).await;
    let client = client(&server);
    let report = server.stop(super::programs::PATIENCE).await;
    assert_eq!(report.exit, Some(Exit::Code(0)));
    assert_eq!(report.left, []);
    assert_eq!(rest(client), b"");
}

/// The process of a connection may finish its work after the stop signal.
#[tokio::test]
async fn the_acceptor_waits_for_the_processes_of_connections() {
    let script = "trap 'echo bye; exit 0' TERM; read x; echo $x; while :; do sleep 0.01; done";
    let server = start(&stdio(shell(script))).await;
    let client = client(&server);
    let report = server.stop(super::programs::PATIENCE).await;
    assert_eq!(report.exit, Some(Exit::Code(0)));
    assert_eq!(rest(client), b"bye\n");
}

#[tokio::test]
async fn a_crash_of_one_process_is_a_crash_of_the_server() {
    let server = start(&stdio(shell(
        "read x; echo $x; read x; kill -$x $$; sleep 60",
    )))
    .await;
    let end = |name: &str| {
        let mut client = client(&server);
        client
            .get_mut()
            .write_all(format!("{name}\n").as_bytes())
            .unwrap();
        assert_eq!(rest(client), b"");
    };
    // The usual ways in which such a program ends.
    end("PIPE");
    end("TERM");
    client(&server);
    end("SEGV");
    let exit = server.wait_exit(super::programs::PATIENCE).await;
    assert_eq!(exit, Some(Exit::Signal(libc::SIGSEGV)));
    let stderr = server.output().stderr_tail;
    assert!(
        stderr.contains("the process of a connection was killed by SIGSEGV"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_program_that_cannot_be_run_ends_the_acceptor() {
    let mut launch = stdio(shell(""));
    launch.cmd = vec!["no-such-program-here".into()];
    let server = start(&launch).await;
    let _client = TcpStream::connect(server.addr().unwrap()).unwrap();
    let exit = server.wait_exit(super::programs::PATIENCE).await;
    assert_eq!(exit, Some(Exit::Code(1)));
    let stderr = server.output().stderr_tail;
    assert!(
        stderr.contains("cannot run `no-such-program-here`"),
        "{stderr}"
    );
}

#[tokio::test]
async fn an_acceptor_without_descriptors_recovers() {
    let server = start(&stdio(shell("exec cat"))).await;
    let client_before = client(&server);
    let hard = server.nofile()[0].hard;
    server.set_nofile(3, hard).unwrap();
    let mut waiting = TcpStream::connect(server.addr().unwrap()).unwrap();
    waiting.write_all(b"hello\n").unwrap();
    until("a full queue", || {
        (server.listener()?.queued == 1).then_some(())
    })
    .await;
    let before = server.cpu().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        server.cpu().unwrap() - before < Duration::from_millis(100),
        "it does not spin"
    );
    server.set_nofile(hard, hard).unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut reply = [0; 6];
    waiting.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"hello\n");
    drop(client_before);
}

const INHERITS: &str = "
assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']
assert os.environ['LISTEN_FDS'] == '1'
assert os.environ['LISTEN_FDNAMES'] == 'web'
s = socket.socket(fileno=3)
time.sleep(0.2)
while True:
    c, _ = s.accept()
    c.sendall(c.recv(100))
    c.close()
";

#[tokio::test]
async fn a_server_inherits_its_socket() {
    let Some(launch) = activated(INHERITS) else {
        return;
    };
    let server = start(&launch).await;
    // It is ready before it accepts: connections wait in the queue.
    assert!(server.started_in() < Duration::from_secs(30));
    assert_eq!(rest(client(&server)), b"");
    assert_eq!((server.tree().len(), server.listeners().len()), (1, 1));
    let port = server.port();
    // Nobody else holds the socket: once the server has ended, connections are refused.
    server.signal(libc::SIGKILL).unwrap();
    server.wait_exit(super::programs::PATIENCE).await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[tokio::test]
async fn an_inherited_socket_may_have_any_port() {
    let Some(launch) = activated(INHERITS) else {
        return;
    };
    let options = StartOptions {
        port0: true,
        ..StartOptions::default()
    };
    let server = Server::start(&launch, options).await.unwrap();
    assert_eq!(rest(client(&server)), b"");
}

#[tokio::test]
async fn a_port_that_cannot_be_opened_is_no_fault_of_the_server() {
    let Some(launch) = activated(INHERITS) else {
        return;
    };
    let first = start(&launch).await;
    let options = StartOptions {
        port: first.lease(),
        ..StartOptions::default()
    };
    let failure = Server::start(&launch, options)
        .await
        .expect_err("the port is in use");
    assert!(matches!(failure, StartFailure::Harness { .. }), "{failure}");
    assert!(
        failure
            .to_string()
            .contains(&format!("port {}", first.port())),
        "{failure}"
    );
}

#[tokio::test]
async fn an_activated_program_that_does_not_exist_is_named() {
    let Some(mut launch) = activated("") else {
        return;
    };
    launch.cmd = vec!["no-such-program-here".into()];
    let failure = start_failure(&launch).await;
    assert!(matches!(failure, StartFailure::Spawn { .. }), "{failure}");
}

/// Other servers get no descriptor beyond the standard streams.
#[tokio::test]
async fn other_servers_inherit_nothing() {
    let server = run(&shell("ls /proc/self/fd | wc -l; exec sleep 60")).await;
    let printed = until("its output", || {
        let output = server.output().stdout_tail;
        output.ends_with('\n').then_some(output)
    })
    .await;
    // 0 to 2, and the folder itself.
    assert_eq!(printed.trim(), "4");
}
