//! How servers start: when they are ready, and why they are not.

use std::io;
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

use regex::Regex;
use tcprove::process::{Exit, Port, Ready, ReadyStream, Server, StartFailure, StartOptions};

use super::programs::{python, run, shell, start, start_failure, until};
use crate::support::skip::needs;

#[tokio::test]
async fn a_slow_listener_is_awaited_and_never_connected_to() {
    let script = "
time.sleep(0.3)
s = listen()
while True:
    s.accept()
    print('accepted', flush=True)
";
    let Some(launch) = python(script) else { return };
    let server = start(&launch).await;
    assert!(server.started_in() >= Duration::from_millis(300));
    let _client = TcpStream::connect(server.addr().unwrap()).unwrap();
    until("its output", || {
        (server.output().stdout_bytes > 0).then_some(())
    })
    .await;
    assert_eq!(
        server.output().stdout_tail,
        "accepted\n",
        "the test's connection is the only one"
    );
    assert_eq!(server.printed(), server.output().mark());
    assert_eq!(server.port(), server.lease().unwrap().number());
}

/// The flag in /proc/PID/personality (linux/personality.h).
const ADDR_NO_RANDOMIZE: u32 = 0x4_0000;

/// Only a server that is started with fixed addresses gets them; this process keeps its own.
#[tokio::test]
async fn addresses_are_fixed_for_the_server_that_asks_for_it() {
    if !tcprove::sys::can_fix_addresses() {
        needs("a system that allows fixed addresses");
        return;
    }
    let Some(launch) = python("s = listen()\nforever()") else {
        return;
    };
    let flag = |pid: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/personality")).unwrap();
        u32::from_str_radix(text.trim(), 16).unwrap() & ADDR_NO_RANDOMIZE
    };
    let before = flag("self");
    for (fixed_addresses, expected) in [(true, ADDR_NO_RANDOMIZE), (false, before)] {
        let options = StartOptions {
            fixed_addresses,
            ..StartOptions::default()
        };
        let server = Server::start(&launch, options).await.unwrap();
        assert_eq!(flag(&server.pid().unwrap().to_string()), expected);
    }
    assert_eq!(flag("self"), before);
}

#[tokio::test]
async fn a_server_on_another_port_is_reported() {
    let Some(launch) =
        python("s = listen(port=0)\nprint(s.getsockname()[1], flush=True)\nforever()")
    else {
        return;
    };
    let mut give_up = Duration::from_millis(500);
    let (elsewhere, text, printed) = loop {
        let options = StartOptions {
            give_up: Some(give_up),
            ..StartOptions::default()
        };
        let failure = Server::start(&launch, options)
            .await
            .expect_err("wrong port");
        let text = failure.to_string();
        let StartFailure::NotReady {
            listening_elsewhere,
            stdout_tail,
            ..
        } = failure
        else {
            panic!("{text}")
        };
        if !listening_elsewhere.is_empty() {
            break (listening_elsewhere, text, stdout_tail);
        }
        // The server did not listen in time, since the machine is slow.
        give_up *= 2;
        assert!(give_up < Duration::from_secs(60), "{text}");
    };
    assert_eq!(elsewhere[0].port().to_string(), printed.trim());
    assert!(
        text.contains(&format!("it listens on {} instead", elsewhere[0])),
        "{text}"
    );
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_is_explained() {
    let mut launch = shell("exit");
    launch.cmd = vec!["/nowhere/server".into()];
    let failure = start_failure(&launch).await;
    assert!(
        matches!(&failure, StartFailure::Spawn { error, .. } if error.kind() == io::ErrorKind::NotFound)
    );
    assert!(
        failure
            .to_string()
            .contains("/nowhere/server does not exist"),
        "{failure}"
    );

    launch.cmd = vec!["no-such-program-anywhere".into()];
    assert!(start_failure(&launch).await.to_string().contains("PATH"));

    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "text").unwrap();
    launch.cmd = vec![plain.display().to_string()];
    assert!(
        start_failure(&launch)
            .await
            .to_string()
            .contains("chmod +x")
    );

    launch.cwd = folder.path().join("gone");
    assert!(matches!(
        start_failure(&launch).await,
        StartFailure::Spawn { .. }
    ));

    let mut launch = shell("exit");
    launch.supervisor = "/nowhere/tcprove".into();
    let failure = start_failure(&launch).await;
    assert!(failure.is_harness(), "{failure}");
}

#[tokio::test]
async fn an_early_exit_shows_the_end_of_the_output() {
    let failure = start_failure(&shell("echo hello; echo 'bad configuration' >&2; exit 3")).await;
    let text = failure.to_string();
    let StartFailure::Exited {
        exit,
        stderr_tail,
        stdout_tail,
        ..
    } = failure
    else {
        panic!("{text}")
    };
    assert_eq!(
        (exit, stderr_tail.as_str(), stdout_tail.as_str()),
        (Exit::Code(3), "bad configuration\n", "hello\n")
    );
    assert!(
        text.contains("exited with code 3") && text.contains("  bad configuration"),
        "{text}"
    );
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_its_holder() {
    // A program that leases nothing may come first.
    let mut leases = std::iter::repeat_with(|| Port::lease().unwrap());
    let (port, _holder) = leases
        .find_map(|port| {
            let holder = TcpListener::bind(("127.0.0.1", port.number())).ok()?;
            Some((port, holder))
        })
        .unwrap();
    let us = Some(std::process::id());

    let give_up = Some(Duration::from_millis(50));
    let options = StartOptions {
        port: Some(port.clone()),
        give_up,
        ..StartOptions::default()
    };
    let failure = Server::start(&shell("sleep 60"), options)
        .await
        .expect_err("held");
    assert!(
        failure.to_string().contains("belongs to another process"),
        "{failure}"
    );
    let StartFailure::PortInUse { holders, .. } = failure else {
        panic!("{failure}")
    };
    assert_eq!(holders[0].pid, us);

    let Some(launch) = python("listen()\nforever()") else {
        return;
    };
    let options = StartOptions {
        port: Some(port),
        ..StartOptions::default()
    };
    let failure = Server::start(&launch, options).await.expect_err("held");
    let text = failure.to_string();
    let StartFailure::Exited {
        exit: Exit::Code(1),
        holders,
        stderr_tail,
        ..
    } = failure
    else {
        panic!("{text}")
    };
    assert_eq!(holders[0].pid, us);
    assert!(
        stderr_tail.contains("Address already in use"),
        "{stderr_tail}"
    );
}

#[tokio::test]
async fn a_daemon_is_ready_after_its_first_process_ended() {
    let Some(launch) = python("daemonize()\ntime.sleep(0.1)\nlisten()\nforever()") else {
        return;
    };
    let server = start(&launch).await;
    let exit = until("the end of its first process", || server.exit()).await;
    assert_eq!(exit, Exit::Code(0));
    let tree = server.tree();
    assert_eq!(tree.len(), 1, "{tree:?}");
    assert_ne!(Some(tree[0].pid), server.pid());
    assert!(server.listener().is_some());
}

#[tokio::test]
async fn a_line_of_output_makes_a_server_ready() {
    let script = "s = listen()\nprint('listening on 127.0.0.1:%d' % s.getsockname()[1], flush=True)\nforever()";
    let Some(mut launch) = python(script) else {
        return;
    };
    let pattern = Regex::new(r"listening on .*:(?<port>\d+)").unwrap();
    launch.ready = Ready::Line(ReadyStream::Stdout, pattern);
    assert!(TcpStream::connect(start(&launch).await.addr().unwrap()).is_ok());

    let options = StartOptions {
        port0: true,
        ..StartOptions::default()
    };
    let server = Server::start(&launch, options).await.unwrap();
    assert!(
        server
            .output()
            .stdout_tail
            .contains(&format!(":{}\n", server.port()))
    );
    assert!(server.lease().is_none());
}

#[tokio::test]
async fn a_port_that_the_server_chooses_is_found() {
    let Some(launch) = python("listen()\nforever()") else {
        return;
    };
    let options = StartOptions {
        port0: true,
        ..StartOptions::default()
    };
    let server = Server::start(&launch, options).await.unwrap();
    assert_ne!(server.port(), 0);
    assert!(TcpStream::connect(server.addr().unwrap()).is_ok());
}

#[tokio::test]
async fn ipv6_and_both_families() {
    if TcpListener::bind("[::1]:0").is_err() {
        needs("IPv6");
        return;
    }
    let Some(mut launch) = python("listen(host='::1')\nforever()") else {
        return;
    };
    launch.host = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let server = start(&launch).await;
    let client = TcpStream::connect(server.addr().unwrap()).unwrap();
    assert!(server.addr().unwrap().is_ipv6());
    assert!(server.peer_socket(client.local_addr().ok()).is_some());

    let Some(launch) = python("listen(host='::')\nforever()") else {
        return;
    };
    let addrs = start(&launch).await.addrs();
    let ips: Vec<String> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
    assert_eq!(ips, ["127.0.0.1", "::1"]);
}

#[tokio::test]
async fn placeholders_environment_and_folder() {
    let mut launch = shell("test -d \"$DIR\" && echo \"$DIR {size} $0\" && pwd && exit 1");
    launch.cmd.push("{port}".into());
    launch.env.insert("DIR".into(), "{tmp}".into());
    launch.params.insert("size".into(), "77".into());
    launch.cwd = "/".into();
    let port = Port::lease().unwrap();
    let options = StartOptions {
        port: Some(port.clone()),
        ..StartOptions::default()
    };
    let failure = Server::start(&launch, options).await.expect_err("it exits");
    let StartFailure::Exited { stdout_tail, .. } = failure else {
        panic!("{failure}")
    };
    let (first, second) = stdout_tail.split_once('\n').unwrap();
    assert!(
        first.ends_with(&format!(" 77 {}", port.number())),
        "{stdout_tail}"
    );
    assert_eq!(second, "/\n");
}

#[tokio::test]
async fn a_server_starts_in_a_clean_state() {
    // A descriptor without close-on-exec, such as build tools leave behind.
    let leak = std::fs::File::open("/proc/self/status").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let script = "exec </proc/self/status; while read -r line; do echo \"$line\"; done
        ulimit -c; ulimit -Sn; ulimit -Hn; set -- /proc/$$/fd/*; echo $#; readlink /proc/$$/fd/0; exit 1";
    let options = StartOptions {
        nofile: Some((30, 40)),
        ..StartOptions::default()
    };
    let failure = Server::start(&shell(script), options)
        .await
        .expect_err("it exits");
    let StartFailure::Exited { stdout_tail, .. } = failure else {
        panic!("{failure}")
    };
    let field = |name: &str| {
        let line = stdout_tail.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    assert_eq!((field("SigBlk:"), field("SigIgn:")), (0, 0));
    let rest: Vec<&str> = stdout_tail.lines().rev().take(5).collect();
    assert_eq!(rest[2..], ["40", "30", "0"], "{stdout_tail}");
    // The three standard descriptors, and perhaps the one that lists the folder.
    assert!(["3", "4"].contains(&rest[1]), "{stdout_tail}");
    drop(leak);
}

#[tokio::test]
async fn parallel_servers_have_ports_of_their_own() {
    let (one, two) = tokio::join!(async { run(&shell("sleep 60")).await }, async {
        run(&shell("sleep 60")).await
    });
    assert_ne!(one.port(), two.port());
    assert_ne!(one.tmp(), two.tmp());
    assert_eq!(
        one.tmp().unwrap().as_os_str().len(),
        two.tmp().unwrap().as_os_str().len()
    );
}
