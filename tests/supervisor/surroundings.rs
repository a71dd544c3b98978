//! What tcprove puts around a server: files, further ports, commands that prepare its folder, helpers, a user.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use tcprove::process::{
    Exit, HelperRole, HelperTrouble, Launch, LaunchFile, Listening, Server, StartFailure,
    StartOptions,
};

use super::programs::{is_alive, python, shell, start, start_failure, until};
use crate::support::skip::needs;

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

fn with_file(mut launch: Launch, path: &str, text: &str) -> Launch {
    let file = LaunchFile {
        text: text.to_owned(),
        mode: 0o640,
    };
    launch.files.insert(PathBuf::from(path), file);
    launch
}

/// A command that runs the Python script with the arguments after it.
fn helper(script: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let launch = python(script)?;
    let command = launch.cmd[..launch.cmd.len() - 2].iter().cloned();
    Some(command.chain(words(arguments)).collect())
}

#[tokio::test]
async fn a_server_can_lock_its_folder() {
    let script = "
import fcntl, os
folder = os.open(sys.argv[2], os.O_RDONLY)
fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
listen()
forever()
";
    let Some(mut launch) = python(script) else {
        return;
    };
    launch.cmd.truncate(launch.cmd.len() - 1);
    launch.cmd.push("{tmp}".to_owned());
    let server = start(&launch).await;
    let folder = server.tmp().unwrap().to_owned();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    drop(server);
    let around = folder.parent().unwrap();
    until("the folder to be removed", || {
        (!around.exists()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn files_contain_the_ports_and_the_folder() {
    let script = "
for line in open(sys.argv[2].replace('notes', 'conf.d/app.conf')):
    name, value = line.split()
    if name == 'also':
        listen(port=int(value))
listen()
forever()
";
    let Some(launch) = python(script) else { return };
    let text = "port {port}\nalso {port:admin}\ndir {tmp}\n";
    let launch = with_file(launch, "conf.d/app.conf", text);
    let server = start(&launch).await;
    let ports = server.surroundings().unwrap().ports().clone();
    assert_eq!(ports.keys().collect::<Vec<_>>(), ["admin"]);
    let tmp = server.tmp().unwrap();
    let written = std::fs::read_to_string(tmp.join("conf.d/app.conf")).unwrap();
    let expected = format!(
        "port {}\nalso {}\ndir {}\n",
        server.port(),
        ports["admin"],
        tmp.display()
    );
    assert_eq!(written, expected);
    let mode = std::fs::metadata(tmp.join("conf.d/app.conf"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    until("the other port", || {
        TcpStream::connect(("127.0.0.1", ports["admin"])).ok()
    })
    .await;
    // Two instances have different further ports, unless the second one is to use those of the first.
    let other = start(&launch).await;
    assert_ne!(
        other.surroundings().unwrap().ports()["admin"],
        ports["admin"]
    );
}

#[tokio::test]
async fn preparations_run_once_in_each_new_folder() {
    let mut launch = shell("test -f $0/two && exec sleep 60");
    launch.cmd.push("{tmp}".into());
    let note = |name: &str| words(&["sh", "-c", &format!("echo >> $0/{name}"), "{tmp}"]);
    launch.prepare = vec![note("one"), note("two")];
    let options = StartOptions {
        await_ready: false,
        ..StartOptions::default()
    };
    let first = Server::start(&launch, options.clone()).await.unwrap();
    let count = |name: &str| {
        std::fs::read(first.tmp().unwrap().join(name))
            .unwrap()
            .len()
    };
    assert_eq!((count("one"), count("two")), (1, 1));
    let again = StartOptions {
        tmp: first.shared_tmp(),
        ..options
    };
    let _second = Server::start(&launch, again).await.unwrap();
    assert_eq!((count("one"), count("two")), (1, 1));
}

#[tokio::test]
async fn a_failed_preparation_is_named() {
    let mut launch = shell("exec sleep 60");
    launch.prepare = vec![words(&["sh", "-c", "echo no space left >&2; exit 3"])];
    let failure = start_failure(&launch).await;
    let StartFailure::Helper { role, trouble, .. } = &failure else {
        panic!("{failure}");
    };
    assert_eq!(*role, HelperRole::Preparation);
    assert!(matches!(trouble, HelperTrouble::Exited(Exit::Code(3))));
    let text = failure.to_string();
    assert!(
        text.contains("`sh -c echo no space left") && text.contains("of `prepare`"),
        "{text}"
    );
    assert!(text.contains("\n  no space left"), "{text}");

    launch.prepare = vec![words(&["no-such-program-here"])];
    let text = start_failure(&launch).await.to_string();
    assert!(
        text.contains("`no-such-program-here`") && text.contains("cannot be run"),
        "{text}"
    );
}

/// A proxy without select or threads: one connection at a time, one line at a time.
const PROXY: &str = "
back = int(sys.argv[3])
s = listen()
print('proxy starts', flush=True)
while True:
    c, _ = s.accept()
    b = socket.create_connection(('127.0.0.1', back))
    data = c.recv(1000)
    b.sendall(data)
    c.sendall(b.recv(1000))
    c.close()
    b.close()
";

const BACKEND: &str = "
print('backend starts', flush=True)
time.sleep(0.3)
s = listen()
block = bytearray(64 << 20)
for i in range(0, len(block), 4096):
    block[i] = 1
while True:
    c, _ = s.accept()
    data = c.recv(1000)
    if data == b'die\\n':
        os._exit(7)
    c.sendall(b'backend: ' + data)
    c.close()
";

fn proxy() -> Option<Launch> {
    let mut launch = python(PROXY)?;
    launch.cmd.push("{port:backend}".into());
    launch.beside = vec![helper(BACKEND, &["{port:backend}"])?];
    Some(launch)
}

fn ask(server: &Server, text: &str) -> String {
    let mut client = TcpStream::connect(server.addr().unwrap()).unwrap();
    client.write_all(text.as_bytes()).unwrap();
    let mut reply = String::new();
    let _ = client.read_to_string(&mut reply);
    reply
}

#[tokio::test]
async fn a_proxy_has_its_backend_beside_it() {
    let Some(launch) = proxy() else { return };
    let server = start(&launch).await;
    assert_eq!(ask(&server, "hello\n"), "backend: hello\n");
    // Neither the processes, nor the memory, nor the output of the backend are those of the server.
    assert_eq!(server.tree().len(), 1);
    assert!(server.usage().unwrap().rss_bytes < 60 << 20);
    let printed = until("what it prints", || {
        Some(server.output().stdout_tail).filter(|printed| !printed.is_empty())
    })
    .await;
    assert_eq!(printed, "proxy starts\n");
    assert!(server.helper_trouble().is_none());
    // The start time of the server does not contain that of its backend.
    let backend = server.surroundings().unwrap().ports()["backend"];
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", backend)).is_err());
}

#[tokio::test]
async fn another_instance_uses_the_helpers_of_the_first() {
    let Some(launch) = proxy() else { return };
    let first = start(&launch).await;
    let options = StartOptions {
        surroundings: first.surroundings(),
        ..StartOptions::default()
    };
    let second = Server::start(&launch, options).await.unwrap();
    assert_ne!(first.port(), second.port());
    assert_eq!(
        first.surroundings().unwrap().ports(),
        second.surroundings().unwrap().ports()
    );
    drop(first);
    assert_eq!(ask(&second, "hello\n"), "backend: hello\n");
}

#[tokio::test]
async fn helpers_that_fail_are_named() {
    let Some(launch) = proxy() else { return };
    let beside = |script: &str| {
        let mut launch = launch.clone();
        launch.beside = vec![helper(script, &["{port:backend}"]).unwrap()];
        launch.ready_timeout = Duration::from_secs(2);
        launch
    };
    let text = start_failure(&beside("sys.exit('no license')"))
        .await
        .to_string();
    assert!(text.contains("of `beside` exited with code 1"), "{text}");
    assert!(text.ends_with("\n  no license"), "{text}");
    let text = start_failure(&beside("forever()")).await.to_string();
    assert!(
        text.contains("does not listen on {port:backend} ("),
        "{text}"
    );
    // A helper that listens has to stay.
    let text = start_failure(&beside("pass")).await.to_string();
    assert!(text.contains("exited with code 0"), "{text}");

    let server = start(&launch).await;
    assert_eq!(ask(&server, "die\n"), "");
    let trouble = until("the end of the backend", || server.helper_trouble()).await;
    assert!(
        trouble.to_string().contains("exited with code 7"),
        "{trouble}"
    );
    assert!(trouble.is_harness());
}

/// Helpers without a port may end at any time, or run on.
#[tokio::test]
async fn helpers_without_a_port_are_not_awaited() {
    let Some(mut launch) = python("listen()\nforever()") else {
        return;
    };
    launch.beside = vec![words(&["sleep", "60"]), words(&["true"])];
    let server = start(&launch).await;
    assert!(server.helper_trouble().is_none());
}

/// tcprove is killed while a server and its helpers run.
#[test]
fn helpers_end_with_a_killed_tcprove() {
    let bench = crate::support::Bench::new();
    let Some(python) = crate::support::python() else {
        return;
    };
    let serve = "import os, socket, sys, time\n\
                 s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n\
                 open(sys.argv[2], 'w').write(str(os.getpid()))\n\
                 time.sleep(600)";
    let note = bench.path("helper");
    let file = format!(
        "[server]\ncmd = ['{python}', '-ESc', '''{serve}''', '{{port}}', '/dev/null', '{marker}']\n\
         beside = [['{python}', '-ESc', '''{serve}''', '{{port:b}}', '{note}', '{marker}']]\n\
         [talk]\nframe = {{ until = \"\\n\" }}\n[[talk.turn]]\nsend = \"{{tok}}\\n\"\nexpect = \"{{tok}}\\n\"\n",
        marker = bench.marker,
        note = note.display(),
    );
    bench.write("tcprove.toml", &file);
    let mut command = bench.tcprove();
    command.arg("check");
    let running = bench.start(command);
    crate::support::until("the helper", || {
        std::fs::read_to_string(&note).is_ok_and(|pid| !pid.is_empty())
    });
    let pid: u32 = bench.read("helper").parse().unwrap();
    assert!(is_alive(pid));
    running.signal(rustix::process::Signal::KILL);
    crate::support::until("the end of every process", || bench.left().is_empty());
}

#[tokio::test]
async fn another_user_runs_the_server_and_owns_its_folder() {
    if !rustix::process::geteuid().is_root() {
        needs("root");
        return;
    }
    // The interpreters of python3 may be out of reach of the user; a shell inherits a socket.
    let script =
        "echo $(id -un) $(id -Gn) $USER > $0/notes; echo on stdout > /dev/stdout; exec sleep 60";
    let mut launch = with_file(shell(script), "deep/app.conf", "x");
    launch.cmd.push("{tmp}".into());
    launch.listening = Listening::Inherited { name: "x".into() };
    launch.user = Some("nobody".into());
    launch.prepare = vec![words(&["sh", "-c", "id -un > $0/prepared", "{tmp}"])];
    launch.beside = vec![words(&[
        "sh",
        "-c",
        "id -un > $0/beside; exec sleep 60",
        "{tmp}",
    ])];
    let server = start(&launch).await;
    let tmp = server.tmp().unwrap().to_owned();
    let read = |name: &str| std::fs::read_to_string(tmp.join(name)).unwrap_or_default();
    assert_eq!(read("prepared"), "nobody\n");
    let notes = until("the server's note", || {
        Some(read("notes")).filter(|note| !note.is_empty())
    })
    .await;
    assert!(
        notes.starts_with("nobody ") && notes.ends_with(" nobody\n"),
        "{notes}"
    );
    assert!(!notes.contains("root"), "{notes}");
    until("the helper's note", || {
        (read("beside") == "nobody\n").then_some(())
    })
    .await;
    until("its output", || {
        (server.output().stdout_tail == "on stdout\n").then_some(())
    })
    .await;
    let owner = |name: &str| std::fs::metadata(tmp.join(name)).unwrap().uid();
    let nobody = owner("notes");
    assert!(nobody != 0);
    assert_eq!(
        [owner(""), owner("deep"), owner("deep/app.conf")],
        [nobody; 3]
    );
    assert!(server.listener().is_some() && server.usage().unwrap().descriptors > 3);
    let pid = server.pid().unwrap();
    drop(server);
    assert!(!is_alive(pid) && !tmp.exists());
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_named() {
    let mut launch = shell("exec sleep 60");
    launch.user = Some("no-such-user-here".into());
    let failure = start_failure(&launch).await;
    let text = failure.to_string();
    assert!(
        text.contains("`no-such-user-here`: this system has no such user"),
        "{text}"
    );
    assert!(failure.is_harness());
}

#[tokio::test]
async fn only_one_instance_of_a_singleton_runs() {
    let Some(mut launch) = python("listen()\nforever()") else {
        return;
    };
    launch.singleton = true;
    let first = start(&launch).await;
    assert!(first.is_singleton());
    let failure = start_failure(&launch).await;
    assert!(
        matches!(failure, StartFailure::Singleton { waited: None }),
        "{failure}"
    );
    assert!(
        failure.to_string().contains("`singleton = true`"),
        "{failure}"
    );
    first.end();
    let second = start(&launch).await;
    drop(first);
    assert!(second.listener().is_some());
    assert!(matches!(
        start_failure(&launch).await,
        StartFailure::Singleton { .. }
    ));
}
