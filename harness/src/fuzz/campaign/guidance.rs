//! Chooses what guides a campaign, and says why.

use std::path::PathBuf;

use tokio::runtime::Runtime;

use crate::fuzz::coverage::{Coverage, ENTRIES, Entry, Look};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::feedback::FeedbackMode;
use crate::fuzz::finding::{self, BlockCount, SourceCount};
use crate::fuzz::plan::FuzzPlan;
use crate::fuzz::target::FuzzTarget;
use crate::process::{Listening, executables, libraries, program_name};

/// Programs that start others.
const SHELLS: [&str; 6] = ["bash", "busybox", "dash", "sh", "sudo", "zsh"];

/// What guides a campaign.
#[derive(Debug)]
pub(super) struct Guidance {
    /// How the replies are looked at.
    pub(super) feedback: FeedbackMode,
    /// What is seen of the server's code, if anything.
    pub(super) coverage: Option<Coverage>,
    /// The names of the sources of coverage.
    sources: Vec<&'static str>,
    /// What was chosen and why, in one line.
    pub(super) said: String,
}

/// The name of a source that can be used, and what it sees.
type Usable = (&'static str, Coverage);

impl Guidance {
    /// Chooses what the plan asks for, or the best that is possible. The error is the reason why what the plan asks for is
    /// not.
    pub(super) fn choose(
        plan: &FuzzPlan,
        target: &FuzzTarget,
        runtime: &Runtime,
        programs: &[PathBuf],
    ) -> Result<Self, String> {
        match plan.feedback {
            FeedbackMode::None | FeedbackMode::Shape if plan.watch => {
                let (sources, reasons) =
                    of_kind(FeedbackMode::Breakpoints, target, runtime, programs);
                match sources.is_empty() {
                    true => Err(reasons.join("; ")),
                    false => Ok(Self::watching(plan.feedback, sources)),
                }
            }
            FeedbackMode::None => Ok(Self::blind(FeedbackMode::None, "as asked for")),
            FeedbackMode::Shape => Ok(Self::blind(
                FeedbackMode::Shape,
                "as asked for; --feedback auto may see more",
            )),
            FeedbackMode::Auto if plan.cases.is_some() => Ok(Self::blind(
                FeedbackMode::Shape,
                "so that the same seed yields the same cases; without --cases, campaigns may see more",
            )),
            FeedbackMode::Auto => {
                let (sources, reasons) = usable(&ENTRIES, target, runtime, programs, false);
                Ok(match sources.is_empty() {
                    true => Self::blind(FeedbackMode::Shape, &reasons.join("; ")),
                    false => Self::seeing(sources),
                })
            }
            asked => {
                let (sources, reasons) = of_kind(asked, target, runtime, programs);
                match sources.is_empty() {
                    true => Err(reasons.join("; ")),
                    false => Ok(Self::seeing(sources)),
                }
            }
        }
    }

    fn blind(feedback: FeedbackMode, why: &str) -> Self {
        Self {
            feedback,
            coverage: None,
            sources: Vec::new(),
            said: format!("{}: {why}", feedback.name()),
        }
    }

    fn seeing(usable: Vec<Usable>) -> Self {
        let (sources, all): (_, Vec<Coverage>) = usable.into_iter().unzip();
        let coverage = Coverage::join(all);
        Self {
            feedback: FeedbackMode::Shape,
            said: format!("{}, besides the shape of the replies", coverage.about()),
            coverage: Some(coverage),
            sources,
        }
    }

    /// The feedback guides, and the code that is reached counts only.
    fn watching(feedback: FeedbackMode, usable: Vec<Usable>) -> Self {
        let seeing = Self::seeing(usable);
        let coverage = seeing.coverage.map(Coverage::only_watching);
        let about = coverage.as_ref().map(Coverage::about).unwrap_or_default();
        Self {
            feedback,
            said: format!(
                "{}: as asked for; {about} count, and do not guide",
                feedback.name()
            ),
            coverage,
            ..seeing
        }
    }

    /// What guided the campaign, for its result, given the number of observations in the replies.
    pub(super) fn result(&self, observations: usize) -> finding::Coverage {
        let counts = self.coverage.iter().flat_map(Coverage::counts);
        let sources = self
            .sources
            .iter()
            .zip(counts)
            .map(|(name, (source, reached))| SourceCount {
                source: (*name).into(),
                unit: source.unit().into(),
                reached,
                all: source.is_complete().then(|| source.places()),
            });
        let sources: Vec<SourceCount> = sources.collect();
        let blocks = sources.iter().find_map(|seen| {
            let is_blocks = seen.source == FeedbackMode::Breakpoints.name();
            let (reached, all) = (seen.reached, seen.all.filter(|_| is_blocks)?);
            Some(BlockCount { reached, all })
        });
        finding::Coverage {
            feedback: match self.coverage.as_ref().is_some_and(Coverage::guides) {
                false => self.feedback.name().into(),
                true => self.sources.join("+"),
            },
            chosen: self.said.clone(),
            edges: observations,
            blocks,
            sources,
            ..finding::Coverage::default()
        }
    }
}

/// The sources of this kind that was asked for, and why it does not work.
fn of_kind(
    asked: FeedbackMode,
    target: &FuzzTarget,
    runtime: &Runtime,
    programs: &[PathBuf],
) -> (Vec<Usable>, Vec<String>) {
    let entries = ENTRIES.iter().filter(|entry| entry.name == asked.name());
    usable(entries, target, runtime, programs, true)
}

/// The sources of these kinds that work with the server, and why others do not.
fn usable<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    target: &FuzzTarget,
    runtime: &Runtime,
    programs: &[PathBuf],
    is_asked: bool,
) -> (Vec<Usable>, Vec<String>) {
    let Some(launch) = target.subject.launch() else {
        return (Vec::new(), vec!["tcprove did not start this server".into()]);
    };
    let look = Look {
        programs,
        launch,
        is_asked,
    };
    let (mut usable, mut reasons) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry.name;
        let source = match (entry.of)(&look) {
            None => continue,
            Some(Ok(source)) => tried(target, runtime, Coverage::of(vec![source])),
            Some(Err(reason)) => Err(reason),
        };
        match source {
            Ok(source) => usable.push((name, source)),
            Err(reason) if is_asked => reasons.push(reason),
            Err(reason) => reasons.push(format!("{name} is not possible: {reason}")),
        }
    }
    (usable, reasons)
}

/// The same coverage, if it sees something of a server that serves a client.
fn tried(target: &FuzzTarget, runtime: &Runtime, coverage: Coverage) -> Result<Coverage, String> {
    let epoch = Epoch::begin(target, runtime, Some(&coverage));
    let epoch = epoch.map_err(|error| format!("the server does not start with it: {error}"))?;
    match epoch.unseen().into_iter().flatten().next() {
        Some(trouble) => Err(trouble),
        None => Ok(coverage),
    }
}

/// The programs that the server runs, from its processes, and the libraries that it uses whose names begin so.
pub(super) fn programs(
    target: &FuzzTarget,
    epoch: &Epoch<'_>,
    library_names: &[String],
) -> Vec<PathBuf> {
    let server = epoch.server();
    // The processes that serve do not exist yet.
    if *server.listening() == Listening::PerConnection {
        let launch = target.subject.launch();
        return launch
            .and_then(|launch| launch.executable())
            .into_iter()
            .collect();
    }
    let mut all = executables(&server.pids());
    let is_shell = |path: &PathBuf| SHELLS.contains(&program_name(path));
    if !all.iter().all(is_shell) {
        all.retain(|path| !is_shell(path));
    }
    if !library_names.is_empty() {
        all.extend(libraries(&server.pids(), library_names));
    }
    all
}
