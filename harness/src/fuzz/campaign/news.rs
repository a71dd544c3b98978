//! What a campaign hears of the other members of its fleet, and what it leaves to them.

use super::membership::{Membership, restored, seen_here};
use super::publish::publish;
use super::state::CampaignState;
use crate::fuzz::Finding;
use crate::fuzz::fleet::FleetEvent;

/// Takes in what others have settled or left since the last call.
pub(super) fn hear(state: &CampaignState<'_>) {
    let Some(membership) = &state.membership else {
        return;
    };
    for event in membership.fleet.events() {
        match event {
            FleetEvent::Earlier(finding) => found_there(state, &finding),
            FleetEvent::Settled(finding) => settled(state, membership, *finding),
            FleetEvent::Orphan(id, suspect) => {
                let seen = membership.stop_waiting(&id);
                let suspect = seen.or_else(|| {
                    let suspect = restored(suspect, state.clock.begun.elapsed())?;
                    // From now on it is known here.
                    state.is_first(&suspect.identity()).then_some(suspect)
                });
                suspect.into_iter().for_each(|suspect| state.later(suspect));
            }
            FleetEvent::Tried(id) => {
                let seen = membership.stop_waiting(&id);
                seen.into_iter().for_each(|suspect| state.later(suspect));
            }
            FleetEvent::Trouble(trouble) => state.fleet_trouble(&trouble),
        }
    }
}

/// What was found at a turn is not looked for there again.
fn found_there(state: &CampaignState<'_>, finding: &Finding) {
    if let Some(turn) = &finding.turn {
        state.found_at(finding.symptom.kind, turn);
    }
}

fn settled(state: &CampaignState<'_>, membership: &Membership, finding: Finding) {
    found_there(state, &finding);
    match membership.stop_waiting(&finding.id) {
        Some(suspect) => publish(state, seen_here(finding, suspect.first_seen)),
        // The fleet has found what it looks for.
        None if state.campaign.plan.stop_on_first && finding.is_sure() => {
            publish(state, seen_here(finding, state.clock.begun.elapsed()));
        }
        None => {}
    }
}

/// The last look of the campaign. What it had no time for is left to the others.
pub(super) fn leave(state: &CampaignState<'_>) {
    let Some(membership) = &state.membership else {
        return;
    };
    membership.fleet.look();
    hear(state);
    while let Some(suspect) = state.postponed() {
        if let Err(error) = membership.offer(&suspect) {
            state.fleet_trouble(&error.to_string());
        }
    }
}
