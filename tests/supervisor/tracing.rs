//! A server with breakpoints in its program behaves as without them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tcprove::process::{Exit, Launch, Server, StartOptions, Trace};

use super::programs::{PATIENCE, python, shell, until};
use crate::support::skip::needs;

/// Breakpoints in a program. `None` where they are not possible.
fn breakpoints(program: &str) -> Option<Arc<Trace>> {
    if !cfg!(target_arch = "x86_64") {
        needs("an x86-64 processor");
        return None;
    }
    Some(Trace::of_programs(&[PathBuf::from(program)]).unwrap())
}

/// Starts a server; a program that waits for the file `notes` goes on as soon as it is traced.
async fn traced(launch: &Launch, trace: Option<Arc<Trace>>) -> Server {
    let options = StartOptions {
        await_ready: false,
        trace: trace.clone(),
        ..StartOptions::default()
    };
    let server = Server::start(launch, options).await.unwrap();
    if let Some(trace) = trace {
        until("breakpoints", || trace.has_begun().then_some(())).await;
    }
    std::fs::write(server.tmp().expect("a folder").join("notes"), "").unwrap();
    server
}

#[tokio::test]
async fn threads_children_signals_and_the_exit_are_as_without() {
    let script = "
import ctypes, subprocess
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
seen = []
for number in (signal.SIGUSR1, signal.SIGTRAP, signal.SIGRTMIN + 3):
    signal.signal(number, lambda number, frame: seen.append(int(number)))
    os.kill(os.getpid(), number)
counts = []
threads = [threading.Thread(target=lambda: counts.append(sum(range(9999)))) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
def child(what):
    pid = os.fork()
    if pid == 0:
        what()
    return os.waitpid(pid, 0)[1]
ends = [child(lambda: os._exit(7)), child(lambda: os.kill(os.getpid(), 9)), child(lambda: ctypes.string_at(0))]
run = subprocess.run([sys.executable, '-ESc', 'print(sum(map(int, \"123\"))); raise SystemExit(3)'], stdout=-1)
nested = subprocess.run(['sh', '-c', 'kill -TERM $$']).returncode
print(seen, len(counts), ends, run.returncode, run.stdout, nested, flush=True)
os._exit(5)
";
    let Some(launch) = python(script) else { return };
    let Some(trace) = breakpoints(&launch.cmd[0]) else {
        return;
    };
    let mut said = Vec::new();
    for trace in [None, Some(trace.clone())] {
        let server = traced(&launch, trace).await;
        assert_eq!(server.wait_exit(PATIENCE).await, Some(Exit::Code(5)));
        until("the end", || server.is_empty().then_some(())).await;
        let output = server.output();
        said.push((output.stdout_tail, output.stderr_tail));
    }
    assert!(
        said[0].0.starts_with("[10, 5, 37] 8 [1792, 9, 11] 3"),
        "{said:?}"
    );
    assert_eq!(said[0], said[1]);
    // The interpreter may be little more than a library.
    assert!(trace.reached() > 0);
}

/// A shell forks for each command, executes other shells, and itself at the end.
#[tokio::test]
async fn every_process_of_a_shell_script_is_seen() {
    let script = "
until test -e $0/notes; do sleep 0.01; done
trap 'echo user' USR1
kill -USR1 $$
(exit 7); echo $?
sh -c 'kill -TERM $$'; echo $?
for i in 1 2 3 4 5 6; do (echo sub $i) & done; wait
case $(echo a | tr a b) in b) echo right;; *) echo wrong;; esac
exec sh -c 'echo last; exit 5'
";
    let mut launch = shell(script);
    launch.cmd.push("{tmp}".into());
    let Some(trace) = breakpoints("/bin/sh") else {
        return;
    };
    let mut said = Vec::new();
    for trace in [None, Some(trace.clone())] {
        let server = traced(&launch, trace).await;
        assert_eq!(server.wait_exit(PATIENCE).await, Some(Exit::Code(5)));
        until("the end", || server.is_empty().then_some(())).await;
        // What was printed last may be read after the processes have ended.
        let mut lines: Vec<String> = until("what it prints", || {
            let printed = server.output().stdout_tail;
            let lines = printed.lines().map(str::to_owned).collect::<Vec<_>>();
            (lines.len() >= 11).then_some(lines)
        })
        .await;
        // The six run at the same time.
        lines.sort();
        said.push(lines);
    }
    assert_eq!(said[0].len(), 11, "{said:?}");
    assert_eq!(said[0], said[1]);
    assert!(trace.reached() > 200, "{}", trace.reached());
}

/// While it is stopped, the breakpoints wait; afterwards it goes on.
#[tokio::test]
async fn a_stopped_server_stays_stopped_until_it_is_continued() {
    let script = "
while True:
    print('tick', flush=True)
    time.sleep(0.01)
";
    let Some(launch) = python(script) else { return };
    let Some(trace) = breakpoints(&launch.cmd[0]) else {
        return;
    };
    let server = traced(&launch, Some(trace)).await;
    let printed = || server.printed().stdout;
    until("its output", || (printed() > 20).then_some(())).await;
    server.signal(libc::SIGSTOP).unwrap();
    let stat = format!("/proc/{}/stat", server.pid().unwrap());
    let state = || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        stat.rsplit(')')
            .next()
            .unwrap()
            .trim()
            .chars()
            .next()
            .unwrap()
    };
    // `t` is a stop for the tracer, as which a process under trace is shown while it is stopped.
    until("the stop", || matches!(state(), 'T' | 't').then_some(())).await;
    // What it had printed may be read late; a server that runs would go on.
    let mut before = printed();
    let mut is_silent = false;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = printed();
        is_silent = now == std::mem::replace(&mut before, now);
        if is_silent {
            break;
        }
    }
    assert!(is_silent, "it is stopped");
    server.signal(libc::SIGCONT).unwrap();
    until("more output", || (printed() > before).then_some(())).await;
    server.signal(libc::SIGTERM).unwrap();
    let exit = server.wait_exit(PATIENCE).await;
    assert_eq!(exit, Some(Exit::Signal(libc::SIGTERM)));
}
