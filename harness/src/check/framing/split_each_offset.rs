//! A cut at every offset.

use std::time::{Duration, Instant};

use super::pieces::{self, Visitor};
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight};

/// Cuts a request in two at each offset in turn.
pub(super) const ENTRY: Check = Check {
    id: "split-each-offset",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: a byte-stream service; a parser keeps its state across reads, wherever they end",
    stimulus: "the request of each turn in two segments, cut at each offset in turn (of turns after the first at up to 24); the second is sent once the server has read the first",
    needs: &[Need::Frame],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,time; m={request}; [(s:=socket.create_connection(('{host}',{port})), s.setsockopt(6,1,1), s.send(m[:k]), time.sleep(.05), s.send(m[k:]), print(k, s.recv(4096)), s.close()) for k in range(1,len(m))]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of offsets. Of longer requests the first and last ones are tested, and a sample
/// in between.
const OFFSETS_MAX: usize = 80;
/// The same for each turn other than the plain one.
const OFFSETS_MAX_OTHER: usize = 24;
/// Minimum number of offsets, however slow the server is.
const OFFSETS_MIN: usize = 4;
/// Time budget of the other turns together.
const TIME_BUDGET: Duration = Duration::from_secs(4);

async fn run(cx: &Cx) -> Checked {
    let many_turns = cx.talk().carries_many_turns();
    let mut client = cx.open().await?;
    let length = client.turn()?.request.len();
    let plain = offsets(length, OFFSETS_MAX);
    for (number, &offset) in plain.iter().enumerate() {
        if number > 0 && !many_turns {
            client = cx.open().await?;
        }
        let turn = client.turn()?;
        let cut = [offset.min(turn.request.len() - 1)];
        pieces::exchange(cx, &mut client, &turn, &cut, false)
            .await
            .at(|| format!("cut after byte {offset} of {length}"))?;
    }
    super::end(cx, client).await?;
    let others = other_turns(cx).await?;
    cx.proved(format!(
        "the server had read the first part at each of {} offsets before the second was sent",
        plain.len() + others
    ));
    cx.others_are_served().await
}

/// Cuts the requests of the turns after the plain one. Returns the number of offsets.
async fn other_turns(cx: &Cx) -> Checked<usize> {
    let turns = 1..cx.talk().turns.len();
    let share = TIME_BUDGET / turns.len().max(1) as u32;
    let mut visitor = Visitor::new(cx);
    let mut done = 0;
    for index in turns {
        let begun = Instant::now();
        let (mut number, mut count) = (0, 1);
        while number < count && (number < OFFSETS_MIN || begun.elapsed() < share) {
            let cut = |length| few_first(length).get(number).copied();
            let only = |length| cut(length).into_iter().collect();
            count = few_first(visitor.visit(index, only).await?).len();
            number += 1;
        }
        done += number.min(count);
    }
    Ok(done)
}

/// The offsets of a turn other than the plain one, in an order in which the first few are an even sample too.
fn few_first(length: usize) -> Vec<usize> {
    let mut order = offsets(length, OFFSETS_MIN);
    let mut rest = offsets(length, OFFSETS_MAX_OTHER);
    rest.retain(|offset| !order.contains(offset));
    order.extend(rest);
    order
}

/// All offsets inside a message of this length, or an even sample of at most `most` that includes both ends.
pub(super) fn offsets(length: usize, most: usize) -> Vec<usize> {
    let all = length.saturating_sub(1);
    if all <= most {
        return (1..length).collect();
    }
    let edge = most / 4;
    let middle = (1..=edge * 2).map(|step| edge + step * (all - 2 * edge) / (edge * 2 + 1));
    let mut offsets: Vec<usize> = (1..=edge)
        .chain(middle)
        .chain(length - edge..length)
        .collect();
    offsets.dedup();
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_are_cut_everywhere_and_long_ones_at_both_ends() {
        assert_eq!(offsets(4, 80), [1, 2, 3]);
        assert_eq!(offsets(1, 80), Vec::<usize>::new());
        let long = offsets(10_000, 80);
        assert!(
            long.len() <= 80 && long.starts_with(&[1, 2, 3]) && long.ends_with(&[9_998, 9_999])
        );
        assert!(long.windows(2).all(|pair| pair[0] < pair[1]));
        let mut few = few_first(33);
        assert_eq!(few[..OFFSETS_MIN], offsets(33, OFFSETS_MIN));
        few.sort_unstable();
        assert!(
            few.len() >= OFFSETS_MAX_OTHER && few.contains(&16),
            "{few:?}"
        );
    }
}
