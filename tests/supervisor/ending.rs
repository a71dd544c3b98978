//! How servers end: the whole process tree is gone, and exit statuses are reported.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tcprove::process::{Exit, Launch, Server, StartOptions};

use super::programs::{alive_with, is_alive, noted, python, run, shell, start, until};

/// A main process, a child, a grandchild, and an orphaned daemon in a session of its own. Each notes its pid.
const FAMILY: &str = "
note(os.getpid())
if os.fork() == 0:
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(os.getpid())
        forever()
    note(os.getpid())
    forever()
pid = os.fork()
if pid == 0:
    daemonize()
    note(os.getpid())
    forever()
os.waitpid(pid, 0)
listen()
forever()
";

fn family(notes: &str) -> Option<Launch> {
    let mut launch = python(FAMILY)?;
    *launch.cmd.last_mut().expect("arguments") = notes.to_owned();
    Some(launch)
}

#[tokio::test]
async fn dropping_ends_the_whole_tree_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    let Some(launch) = family(&notes.display().to_string()) else {
        return;
    };
    let server = start(&launch).await;
    let pids = noted(notes, 4).await;
    let mut tree: Vec<u32> = server.tree().iter().map(|process| process.pid).collect();
    tree.sort_unstable();
    let mut expected = pids.clone();
    expected.sort_unstable();
    assert_eq!(tree, expected);
    let tmp = server.tmp().unwrap().to_owned();
    server.kill();
    assert!(!pids.iter().any(|&pid| is_alive(pid)));
    assert!(!tmp.exists());
}

const NOTES_OF_HELD: &str = "TCPROVE_TEST_NOTES_OF_HELD";

/// Not a test, but the process that the next test kills. It starts two servers and never ends.
#[tokio::test]
#[ignore = "run by a_killed_holder_leaves_nothing as a process of its own"]
async fn hold() {
    let Ok(notes) = std::env::var(NOTES_OF_HELD) else {
        return;
    };
    let launch = family(&notes).unwrap();
    let server = start(&launch).await;
    let options = StartOptions {
        tmp: server.shared_tmp(),
        ..StartOptions::default()
    };
    let beside = python("listen()\nnote('beside')\nforever()").unwrap();
    let _beside = Server::start(&beside, options).await.unwrap();
    println!("\nholding");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_holder_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    if family("").is_none() {
        return;
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "supervisor::ending::hold",
            "--ignored",
            "--nocapture",
        ])
        .env(NOTES_OF_HELD, &notes)
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "holding"));
    let pids = noted(notes, 4).await;
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    until("the end of all processes", || {
        (!pids.iter().any(|&pid| is_alive(pid))).then_some(())
    })
    .await;
    until("the removal of the shared folder", || {
        let left = std::fs::read_dir(folder.path()).unwrap().flatten();
        let names: Vec<_> = left.map(|entry| entry.file_name()).collect();
        (names == ["notes"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_supervisor_leaves_nothing_either() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    let Some(launch) = family(&notes.display().to_string()) else {
        return;
    };
    let server = start(&launch).await;
    let pids = noted(notes, 4).await;
    let main = server
        .tree()
        .into_iter()
        .find(|process| Some(process.pid) == server.pid())
        .unwrap();
    let killed = Command::new("kill")
        .args(["-KILL", &main.ppid.to_string()])
        .status();
    assert!(killed.unwrap().success());
    until("the end of the main process", || {
        (!is_alive(main.pid)).then_some(())
    })
    .await;
    until("the report that the supervisor has ended", || {
        server.is_gone().then_some(())
    })
    .await;
    drop(server);
    assert!(!pids.iter().any(|&pid| is_alive(pid)));
}

/// Ends a server whose processes fork and exit all the time. Each of them runs the statement `each`.
async fn assert_forkers_end(each: &str) {
    let script = format!(
        "
for i in range(3):
    if os.fork() == 0:
        while True:
            {each}
            if os.fork():
                os._exit(0)
listen()
forever()
"
    );
    let Some(launch) = python(&script) else {
        return;
    };
    let server = start(&launch).await;
    let token = server.tmp().expect("a folder").display().to_string();
    until("forking", || (alive_with(&token) > 1).then_some(())).await;
    server.kill();
    assert_eq!(alive_with(&token), 0);
}

#[tokio::test]
async fn processes_that_fork_and_end_are_caught() {
    assert_forkers_end("pass").await;
}

#[tokio::test]
async fn processes_that_fork_into_new_sessions_are_caught() {
    assert_forkers_end("os.setsid() if os.getsid(0) != os.getpid() else None").await;
}

#[tokio::test]
async fn a_server_that_ignores_the_stop_signal_is_reported_then_killed() {
    let Some(launch) = python("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nlisten()\nforever()")
    else {
        return;
    };
    let server = start(&launch).await;
    let pid = server.pid().unwrap();
    let report = server.stop(Duration::from_millis(100)).await;
    assert_eq!((report.exit, report.left.len()), (None, 1));
    assert!(report.waited >= Duration::from_millis(100));
    server.kill();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_graceful_stop_lists_the_remaining_processes() {
    let script = "
if os.fork() == 0:
    forever()
signal.signal(signal.SIGTERM, lambda *_: os._exit(4))
listen()
forever()
";
    let Some(launch) = python(script) else { return };
    let server = start(&launch).await;
    let report = server.stop(Duration::from_secs(30)).await;
    assert_eq!(report.exit, Some(Exit::Code(4)));
    assert_eq!(report.left.len(), 1);
    assert_ne!(Some(report.left[0].pid), server.pid());
    assert_eq!(
        server.signal(libc::SIGTERM).unwrap_err().raw_os_error(),
        Some(libc::ESRCH)
    );
}

async fn end_of(script: &str) -> Option<Exit> {
    run(&shell(script))
        .await
        .wait_exit(Duration::from_secs(30))
        .await
}

#[tokio::test]
async fn exit_statuses_are_reported() {
    assert_eq!(end_of("exit 0").await, Some(Exit::Code(0)));
    assert_eq!(end_of("exit 255").await, Some(Exit::Code(255)));
    assert_eq!(
        end_of("kill -SEGV $$").await,
        Some(Exit::Signal(libc::SIGSEGV))
    );
    let server = run(&shell("exec sleep 60")).await;
    assert_eq!(server.exit(), None);
    assert!(!server.is_gone());
    let report = server.stop(Duration::from_secs(30)).await;
    assert_eq!(
        (report.exit, report.left),
        (Some(Exit::Signal(libc::SIGTERM)), vec![])
    );
    assert!(server.is_gone());
    until("the report that all processes have ended", || {
        server.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn output_outlives_the_processes() {
    let server = run(&shell("echo one; echo two >&2; exec sleep 60")).await;
    until("its output", || {
        (server.output().stderr_bytes > 0).then_some(())
    })
    .await;
    server.end();
    assert_eq!(
        (server.output().stdout_tail.as_str(), server.tree().len()),
        ("one\n", 0)
    );
    assert_eq!(server.exit(), Some(Exit::Signal(libc::SIGKILL)));
}

#[tokio::test]
async fn a_supervisor_kills_the_tree_when_its_stdin_closes() {
    let folder = tempfile::tempdir().unwrap();
    let pids: PathBuf = folder.path().join("pids");
    let script = format!(
        "setsid sleep 60 & echo $! >{0}; echo $$ >>{0}; wait",
        pids.display()
    );
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut supervisor = Command::new(crate::support::program())
        .args(["__supervise", "--", "sh", "-c", &script])
        .stdin(OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    let pids = noted(pids, 2).await;
    drop(ours);
    assert!(supervisor.wait().unwrap().success());
    assert!(!pids.iter().any(|&pid| is_alive(pid)));
}
