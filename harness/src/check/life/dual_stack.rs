//! IPv4 and IPv6 clients.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight, skip};
use crate::subject::Family;

/// Connects to the loopback address of each promised family.
pub(super) const ENTRY: Check = Check {
    id: "dual-stack",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.families: the server serves on the loopback address of each; a socket bound to :: takes IPv4 clients only if IPV6_V6ONLY is off (RFC 3493 section 5.3), and localhost may be either (RFC 6761 section 6.3)",
    stimulus: "one exchange over 127.0.0.1 and one over ::1, on the same port",
    needs: &[Need::Families, Need::OwnSocket, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; [(lambda s: (s.settimeout(5), s.sendall({request}), print(a, s.recv(4096))))(socket.create_connection((a,{port}))) for a in ('127.0.0.1','::1')]\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let server = cx.server().addr();
    let Some(server) = server.filter(|addr| addr.ip().is_loopback()) else {
        return skip("the server is not reached at a loopback address");
    };
    let mut reached = Vec::new();
    for family in &cx.promise().families {
        let (name, ip) = match family {
            Family::Ipv4 => ("IPv4", IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Family::Ipv6 => ("IPv6", IpAddr::V6(Ipv6Addr::LOCALHOST)),
        };
        if let Err(error) = TcpListener::bind((ip, 0)) {
            return skip(format!(
                "this machine has no {name} loopback address: {error}"
            ));
        }
        let addr = SocketAddr::new(ip, server.port());
        let exchanged = cx.reached_at(addr)?.exchange().await;
        reached.push(addr.to_string());
        cx.proved(format!("a client connected to {}", reached.join(" and ")));
        exchanged.at(|| format!("over {name}"))?;
    }
    Ok(())
}
