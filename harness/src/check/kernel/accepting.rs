//! Accepts that fail.

use super::trial::{Asked, Bystander, Trials, arm, ask, named};
use crate::check::{Checked, Cx};
use crate::process::injector::{CallKind, Injected, Place, Rule};

/// Number of accepts that fail, and of clients that come meanwhile.
const FAILED: u32 = 4;
const CLIENTS: usize = 12;
/// Number of clients that are lost one after the other before the others are spared the wait: the server pauses.
const LOST_MAX: usize = 3;

/// Makes every second accept fail with each of these errors, four times, while clients come and one is connected.
pub(super) async fn fails(cx: &Cx, errors: &[i32]) -> Checked {
    let mut trials = Trials::new(cx);
    let mut bystander = Bystander::enter(cx).await?;
    for &error in errors {
        if error == libc::EMFILE && !bystander.is_there() {
            // A table without any connection is never full.
            continue;
        }
        bystander.freshen(cx).await?;
        let rule = Rule {
            every: 2,
            times: FAILED,
            ..Rule::new(
                &[CallKind::Accept],
                &[Place::Listener],
                Injected::Error(error),
            )
        };
        let injection = arm(cx, rule)?;
        let mut lost = 0;
        for _ in 0..CLIENTS {
            lost = match ask(cx).await? {
                Asked::Served | Asked::Otherwise(_) => 0,
                Asked::Lost => lost + 1,
            };
            if injection.record().count() >= FAILED || lost >= LOST_MAX {
                break;
            }
        }
        if !trials.note(&injection.end()) {
            continue;
        }
        let after = format!(
            "after accept has returned {}",
            named(Injected::Error(error))
        );
        bystander.is_served(&after).await?;
        if error == libc::EMFILE {
            // A server may wait until one of its connections ends.
            bystander.leave();
        }
        trials.goes_on(&after).await?;
    }
    drop(bystander);
    trials.conclude("accept")
}
