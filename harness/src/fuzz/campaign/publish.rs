//! Writes a finding to disk and adds it to the results of the campaign.

use super::state::CampaignState;
use crate::fuzz::finding::Rate;
use crate::fuzz::{Finding, reproducer};
use crate::subject::Waiver;

/// Publishes a finding, or a later version of it.
pub(super) fn publish(state: &CampaignState<'_>, mut finding: Finding) {
    let campaign = state.campaign;
    finding.waived = waived(&campaign.waivers, &finding);
    let seen = finding.seen();
    finding.rate = Rate::of(seen).filter(|_| finding.is_intermittent());
    let folder = campaign.plan.findings();
    match reproducer::write(&folder, &finding, &campaign.recipe) {
        Ok(place) => {
            finding.reproduce = campaign.recipe.replay_command(&place);
            finding.reproducer = Some(place);
        }
        Err(error) => state.note(&format!(
            "{} cannot be written to {}: {error}",
            finding.id,
            folder.display()
        )),
    }
    let told = state.membership.as_ref().map(|fleet| fleet.tell(&finding));
    if let Some(Err(error)) = told {
        state.fleet_trouble(&error.to_string());
    }
    state.found(finding);
}

/// The reason of the waiver that covers the finding.
fn waived(waivers: &[Waiver], finding: &Finding) -> Option<String> {
    let covers = |waiver: &&Waiver| {
        let pattern = waiver.finding.as_ref();
        pattern.is_some_and(|pattern| glob_match::glob_match(pattern, &finding.id))
    };
    let waiver = waivers.iter().find(covers)?;
    Some(waiver.reason.clone())
}
