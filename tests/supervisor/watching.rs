//! What can be observed of a running server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tcprove::process::{
    Exit, Server, StartFailure, StartOptions, StdoutMode, TcpState, socket_table,
};

use super::programs::{python, run, shell, start, until};
use crate::support::is_own_process;

/// A function that waits until a client sends a byte.
const ON_A_BYTE: &str = "
def a_byte(s):
    c, _ = s.accept()
    c.recv(1)
";

#[tokio::test]
async fn two_hundred_megabytes_of_output_are_counted_not_kept() {
    let test = "supervisor::watching::two_hundred_megabytes_of_output_are_counted_not_kept";
    if !is_own_process(test) {
        return;
    }
    let script = "
for _ in range(200):
    os.write(1, b'x' * 999999 + b'\\n')
os.write(2, b'that was all')
listen()
forever()
";
    let Some(launch) = python(script) else { return };
    let server = start(&launch).await;
    until("the end of stderr", || {
        (server.output().stderr_tail == "that was all").then_some(())
    })
    .await;
    until("all of stdout", || {
        (server.output().stdout_bytes == 200_000_000).then_some(())
    })
    .await;
    assert_eq!(server.output().stdout_tail.len(), 64 * 1024);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 150_000, "this process used {peak_kib} KiB");
}

#[tokio::test]
async fn undrained_output_fills_its_pipe() {
    let script = "
listen()
for i in range(1000):
    os.write(1, b'x' * 1024)
    os.write(2, b'.')
";
    let Some(launch) = python(script) else { return };
    let options = StartOptions {
        stdout: StdoutMode::Undrained,
        ..StartOptions::default()
    };
    let server = Server::start(&launch, options).await.unwrap();
    // A pipe holds 64 KiB.
    until("a full pipe", || {
        (server.output().stderr_bytes >= 64).then_some(())
    })
    .await;
    assert_eq!(server.output().stdout_bytes, 0);
    assert_eq!((server.output().stderr_bytes, server.exit()), (64, None));
}

#[tokio::test]
async fn descriptor_limits_can_be_set_on_a_running_tree() {
    let Some(launch) =
        python("os.fork()\ntry:\n    listen()\nexcept OSError:\n    pass\nforever()")
    else {
        return;
    };
    let server = start(&launch).await;
    until("both processes", || {
        (server.nofile().len() == 2).then_some(())
    })
    .await;
    server.set_nofile(20, 30).unwrap();
    for limit in server.nofile() {
        assert_eq!((limit.soft, limit.hard), (20, 30), "process {}", limit.pid);
    }
    assert_eq!(server.tree().len(), 2);
}

#[tokio::test]
async fn a_busy_server_uses_more_cpu_time_than_an_idle_one() {
    let Some(spinner) = python("listen()\nwhile True: pass") else {
        return;
    };
    let Some(sleeper) = python("listen()\nforever()") else {
        return;
    };
    let (spinner, sleeper) = (start(&spinner).await, start(&sleeper).await);
    let idle = sleeper.usage().unwrap().cpu;
    let first = spinner.usage().unwrap().cpu;
    let spun = until("CPU time", || {
        let used = spinner.cpu()? - first;
        (used > Duration::from_millis(100)).then_some(used)
    });
    let spun = spun.await;
    let slept = sleeper.usage().unwrap().cpu - idle;
    assert!(slept * 10 < spun, "slept {slept:?}, spun {spun:?}");
}

#[tokio::test]
async fn descriptors_threads_and_memory_are_counted() {
    let more = "
keep = [os.open('/dev/null', os.O_RDONLY) for _ in range(50)]
for _ in range(3): threading.Thread(target=forever, daemon=True).start()
block = bytearray(64 << 20)
for i in range(0, len(block), 4096): block[i] = 1
";
    let Some(plain) = python("listen()\nforever()") else {
        return;
    };
    let Some(more) = python(&format!("{more}\nlisten()\nforever()")) else {
        return;
    };
    let (plain, more) = (start(&plain).await, start(&more).await);
    let (plain, more) = (plain.usage().unwrap(), more.usage().unwrap());
    assert_eq!(more.descriptors, plain.descriptors + 50);
    assert_eq!((plain.threads, more.threads, more.processes), (1, 4, 1));
    assert!(more.rss_bytes > plain.rss_bytes + (50 << 20));
    assert!(more.rss_peak_bytes >= more.rss_bytes && more.vm_bytes > more.rss_bytes);
}

#[tokio::test]
async fn the_cpu_time_of_an_ended_child_is_kept() {
    let script = "
s = listen()
if os.fork() == 0:
    begun = time.process_time()
    while time.process_time() < begun + 0.2: pass
    note('done')
    a_byte(s)
    os._exit(0)
os.wait()
forever()
";
    let Some(launch) = python(&format!("{ON_A_BYTE}{script}")) else {
        return;
    };
    let server = start(&launch).await;
    let notes = server.tmp().unwrap().join("notes");
    until("the child's work", || notes.exists().then_some(())).await;
    let before = server.usage().unwrap();
    assert_eq!(before.processes, 2);
    assert!(before.cpu >= Duration::from_millis(200));
    TcpStream::connect(server.addr().unwrap())
        .unwrap()
        .write_all(b"x")
        .unwrap();
    let after = until("the end of the child", || {
        server.usage().filter(|usage| usage.processes == 1)
    })
    .await;
    assert!(after.cpu >= before.cpu);
}

#[tokio::test]
async fn the_backlog_is_visible() {
    let Some(launch) = python("listen(7)\nforever()") else {
        return;
    };
    let server = start(&launch).await;
    let before = server.listener().unwrap();
    assert_eq!(
        (before.backlog, before.queued, before.addr),
        (7, 0, server.addr().unwrap())
    );
    let _clients: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(server.addr().unwrap()).unwrap())
        .collect();
    assert_eq!(server.listener().unwrap().queued, 3);
}

#[tokio::test]
async fn unread_bytes_are_visible() {
    let Some(launch) =
        python("s = listen()\nc = s.accept()\nprint('accepted', flush=True)\nforever()")
    else {
        return;
    };
    let server = start(&launch).await;
    let mut client = TcpStream::connect(server.addr().unwrap()).unwrap();
    let local = client.local_addr().unwrap();
    until("accept", || {
        (server.output().stdout_bytes > 0).then_some(())
    })
    .await;
    client.write_all(&[7; 5000]).unwrap();
    let seen = server.peer_socket(Some(local)).unwrap();
    assert_eq!(
        (seen.recv_q, seen.bytes_received(), seen.state),
        (5000, 5000, TcpState::Established)
    );
    assert!(seen.is_held());
    drop(client);
    // The client has sent its FIN; the server has not closed.
    until("FIN", || {
        server
            .peer_socket(Some(local))
            .filter(|seen| seen.state == TcpState::CloseWait)
    })
    .await;
}

#[tokio::test]
async fn keepalive_shows_as_a_timer() {
    let script = "
s = listen()
for on in (0, 1):
    c = s.accept()[0]
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, on)
    c.send(b'x')
    keep = c if on else (c, )
    note(on)
    globals()['k%d' % on] = c
forever()
";
    let Some(launch) = python(script) else { return };
    let server = start(&launch).await;
    let mut byte = [0];
    let mut kinds = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(server.addr().unwrap()).unwrap();
        client.read_exact(&mut byte).unwrap();
        let local = client.local_addr().unwrap();
        let idle = until("its reply acknowledged", || {
            server.peer_socket(Some(local)).filter(|s| s.send_q == 0)
        })
        .await;
        kinds.push(idle.timer.map(|timer| timer.kind));
        clients.push(client);
    }
    assert_eq!(kinds, [None, Some(tcprove::process::TimerKind::Keepalive)]);
}

#[tokio::test]
async fn time_wait_is_visible_before_a_restart() {
    let script = "
s = listen(reuse=len(sys.argv) < 4)
while True:
    s.accept()[0].close()
";
    let Some(sound) = python(script) else { return };
    let server = start(&sound).await;
    let (lease, port) = (server.lease(), server.port());
    assert_eq!(socket_table::time_wait_count(port).unwrap(), 0);
    let address = server.addr().unwrap();
    // The kernel keeps a number of such connections only (tcp_max_tw_buckets), and tests beside this one make many.
    until("TIME_WAIT", || {
        let mut client = TcpStream::connect(address).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        (socket_table::time_wait_count(port).unwrap() >= 1).then_some(())
    })
    .await;
    server.kill();

    let options = StartOptions {
        port: lease.clone(),
        ..StartOptions::default()
    };
    let again = Server::start(&sound, options.clone()).await.unwrap();
    assert_eq!(again.port(), port);
    again.kill();

    let mut unsound = sound;
    unsound.cmd.push("without SO_REUSEADDR".into());
    let failure = Server::start(&unsound, options)
        .await
        .expect_err("the port is in TIME_WAIT");
    let StartFailure::Exited {
        exit,
        stderr_tail,
        holders,
        ..
    } = failure
    else {
        panic!("{failure}")
    };
    assert_eq!((exit, holders), (Exit::Code(1), vec![]));
    assert!(
        stderr_tail.contains("Address already in use"),
        "{stderr_tail}"
    );
}

#[tokio::test]
async fn a_tree_can_be_stopped_and_continued() {
    let Some(launch) =
        python("os.fork()\ntry:\n    listen()\nexcept OSError:\n    pass\nforever()")
    else {
        return;
    };
    let server = start(&launch).await;
    let states = || {
        server
            .tree()
            .iter()
            .map(|process| process.state)
            .collect::<String>()
    };
    until("both processes", || (states().len() == 2).then_some(())).await;
    server.signal_tree(libc::SIGSTOP);
    until("both processes to stop", || {
        (states() == "TT").then_some(())
    })
    .await;
    // The kernel still accepts connections.
    let _client = TcpStream::connect(server.addr().unwrap()).unwrap();
    server.signal_tree(libc::SIGCONT);
    until("both processes to continue", || {
        (!states().contains('T')).then_some(())
    })
    .await;
    server.signal_tree(libc::SIGSTOP);
    server.kill();
}

#[tokio::test]
async fn an_attached_server_is_observed_but_never_signalled() {
    let Some(launch) = python("listen(9)\nforever()") else {
        return;
    };
    let server = start(&launch).await;
    let attached = Server::attach(server.endpoint().clone(), server.pid()).unwrap();
    assert!(attached.is_attached() && !attached.is_gone());
    assert_eq!(
        attached.listener().map(|listener| listener.backlog),
        Some(9)
    );
    assert_eq!(attached.usage().unwrap().processes, 1);
    assert!(attached.signal(libc::SIGKILL).is_err());
    attached.signal_tree(libc::SIGKILL);
    attached.kill();
    assert_eq!((server.exit(), server.tree().len()), (None, 1));

    let attached = Server::attach(server.endpoint().clone(), server.pid()).unwrap();
    server.kill();
    assert!(attached.is_gone());
    let unknown = Server::attach(attached.endpoint().clone(), Some(u32::MAX / 2));
    assert!(matches!(unknown, Err(StartFailure::NoProcess { .. })));
    assert!(
        Server::attach(attached.endpoint().clone(), None)
            .unwrap()
            .usage()
            .is_none()
    );
}

#[tokio::test]
async fn a_signal_reaches_the_main_process() {
    let launch = shell("trap 'echo caught; exit 5' USR1; echo set; while :; do sleep 0.01; done");
    let server = run(&launch).await;
    until("its trap", || {
        (server.output().stdout_bytes > 0).then_some(())
    })
    .await;
    server.signal(libc::SIGUSR1).unwrap();
    assert_eq!(
        server.wait_exit(Duration::from_secs(30)).await,
        Some(Exit::Code(5))
    );
    assert_eq!(server.output().stdout_tail, "set\ncaught\n");
}
