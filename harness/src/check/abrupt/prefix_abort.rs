//! Clients that leave at any place of the conversation.

use std::time::{Duration, Instant};

use super::places::{self, Place};
use crate::check::concurrency::backlog_burst::serves_one_at_a_time;
use crate::check::resources::mixed::{is_released, settled};
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::session::Session;

/// Leaves after every prefix of the conversation, in three ways.
pub(super) const ENTRY: Check = Check {
    id: "prefix-abort",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 sections 3.5.3, 3.6: either side may close or reset a connection at any time; that concerns one connection, whatever state its conversation is in (nodemailer/smtp-server#229 dies of a reset after DATA)",
    stimulus: "clients leave after the connect, after each step of the opening and each turn, in the middle of each request and before its reply: by FIN, by RST, and by silence that ends with a close; each of them several times, about 20 in total per way; another client is served after each of them, and descriptors are counted",
    needs: &[Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,struct,time; r={request}; c=lambda: socket.create_connection(('{host}',{port})); [(lambda s: (s.sendall(r), time.sleep(.05), s.recv(4096), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(c()) for _ in range(20)]; s=c(); s.settimeout(5); s.send(r); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients that leave in each way, if the time budget allows.
const EACH: usize = 20;
/// Maximum number of places.
const PLACES_MAX: usize = 40;
/// Minimum number of places, however slow the server is.
const PLACES_MIN: usize = 3;
/// Number of connections for each place: three clients leave, and another one is served after each.
const CONNECTIONS_PER_PLACE: f64 = 6.0;
/// Time budget of a batch. A slower server gets fewer places, and descriptors are not counted.
const TIME_BUDGET: Duration = Duration::from_secs(6);
/// Number of batches after the first that must all leave descriptors behind: growth in the first may be a pool.
const LEAKING_BATCHES: usize = 3;

/// A way to leave.
#[derive(Clone, Copy, Debug)]
enum Way {
    Fin,
    Reset,
    Silence,
}

const WAYS: [Way; 3] = [Way::Fin, Way::Reset, Way::Silence];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Fin => "FIN",
            Self::Reset => "RST",
            Self::Silence => "silence and close",
        }
    }
}

async fn run(cx: &Cx) -> Checked {
    let one_at_a_time = serves_one_at_a_time(cx).await?;
    let all = places::all(cx.talk());
    let in_time = TIME_BUDGET.as_secs_f64() / cx.pace().exchange.as_secs_f64().max(1e-6);
    let most = (in_time / CONNECTIONS_PER_PLACE) as usize;
    cx.note("places", all.len());
    let mut leavers = Leavers {
        cx,
        places: places::sample(all, most.clamp(PLACES_MIN, PLACES_MAX)),
        one_at_a_time,
        left: 0,
        reached: 0,
    };
    stay_until_the_end(cx, most).await?;
    let repeats = EACH.div_ceil(2 * leavers.places.len());
    let mut counts = vec![descriptors(cx, 0).await?];
    for number in 0..=LEAKING_BATCHES {
        let begun = Instant::now();
        for repeat in 0..repeats {
            if repeat == 0 || begun.elapsed() < TIME_BUDGET / 2 {
                leavers.leave_everywhere().await?;
            }
        }
        if begun.elapsed() > TIME_BUDGET {
            return Ok(());
        }
        let before = counts[number];
        let now = descriptors(cx, before.unwrap_or(0)).await?;
        counts.push(now);
        if number > 0 && now <= before {
            return Ok(());
        }
    }
    let counts: Vec<usize> = counts.into_iter().flatten().collect();
    cx.note("descriptors", counts.clone());
    if is_released(cx, |usage| usage.descriptors, &counts).await? {
        return Ok(());
    }
    failed(
        FailureKind::Leak,
        "the server closes its descriptor wherever in the conversation the client leaves",
        format!(
            "{counts:?} descriptors before and after {} batches of clients that left at {} places",
            counts.len() - 1,
            leavers.places.len()
        ),
    )
}

/// Some clients that do not leave early. A server that leaves them without a reply does so to the others too.
async fn stay_until_the_end(cx: &Cx, most: usize) -> Checked {
    for number in 1..=most.clamp(1, EACH) {
        cx.exchange()
            .await
            .at(|| format!("client {number} of those that do not leave early"))?;
    }
    Ok(())
}

/// Number of the server's descriptors once it has released those of clients that have left. `None` if its process is
/// unknown.
async fn descriptors(cx: &Cx, floor: usize) -> Checked<Option<usize>> {
    if cx.server().pid().is_none() {
        return Ok(None);
    }
    settled(cx, |usage| usage.descriptors, floor)
        .await
        .map(Some)
}

/// The clients that leave, one after the other.
struct Leavers<'a> {
    cx: &'a Cx,
    places: Vec<Place>,
    one_at_a_time: bool,
    /// Number of clients so far.
    left: usize,
    /// Number of them that came to their place: the conversation went as described up to there.
    reached: usize,
}

impl Leavers<'_> {
    /// At each place, one client leaves in each way.
    async fn leave_everywhere(&mut self) -> Checked {
        for index in 0..self.places.len() {
            for way in WAYS {
                self.leave(index, way)
                    .await
                    .at(|| format!("{} {}", way.name(), self.places[index].name()))?;
            }
        }
        Ok(())
    }

    async fn leave(&mut self, index: usize, way: Way) -> Checked {
        let cx = self.cx;
        self.left += 1;
        if let Some(exchange) = self.places[index].exchange() {
            cx.about(exchange);
        }
        // A client that does not come to its place has met what other checks judge, such as a server that answers half
        // a request. The next client shows whether the server goes on.
        if let Ok(client) = self.places[index].reach(cx).await {
            self.reached += 1;
            cx.proved(format!(
                "{} of {} clients came to one of {} places of the conversation before they left",
                self.reached,
                self.left,
                self.places.len()
            ));
            if matches!(way, Way::Silence) && !self.one_at_a_time {
                cx.is_alive().await?;
                client.close();
                return Ok(());
            }
            end(client, way).await;
        }
        cx.is_alive().await
    }
}

async fn end(mut client: Session, way: Way) {
    match way {
        // The server may have closed the connection already.
        Way::Fin => {
            let _ = client.half_close().await;
            client.close();
        }
        Way::Reset => {
            let _ = client.reset();
        }
        Way::Silence => client.close(),
    }
}
