//! Which part of the work this process does: `I/N` as the user writes it, or `auto`, as the scheduler says it in environment
//! variables.

use super::print::note;
use crate::data::Shard;

/// A part of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub shard: Shard,
    /// The variables that say so, for the reader; `None` if the user wrote it.
    pub from: Option<String>,
}

impl Part {
    /// Tells which part a scheduler has given this process.
    pub(super) fn announce(&self) {
        if let Some(from) = &self.from {
            let Shard { index, count } = self.shard;
            note(&format!("This is part {index} of {count} ({from})."));
        }
    }
}

/// A scheduler that starts a command several times, and how it tells each which one it is.
struct Scheduler {
    name: &'static str,
    /// The variable with the number of this part.
    index: &'static str,
    /// The variable with the number of parts.
    count: &'static str,
    first: First,
}

/// The number of a task of Slurm, which is also set, to 0, in a batch script that was not divided.
const BATCH: &str = "SLURM_PROCID";

/// The number of the first part.
#[derive(Clone, Copy)]
enum First {
    Is(usize),
    /// A variable gives it, another one the distance between two numbers, a third one the last number.
    Of {
        least: &'static str,
        step: &'static str,
        most: &'static str,
    },
}

/// The schedulers that are asked. Sources: sbatch(1) and srun(1); the Job API of Kubernetes, which has no variable for the
/// number of completions; GitLab's, Buildkite's and CircleCI's predefined variables; Bazel's test encyclopedia.
const SCHEDULERS: &[Scheduler] = &[
    Scheduler {
        name: "a Slurm job array",
        index: "SLURM_ARRAY_TASK_ID",
        count: "SLURM_ARRAY_TASK_COUNT",
        first: First::Of {
            least: "SLURM_ARRAY_TASK_MIN",
            step: "SLURM_ARRAY_TASK_STEP",
            most: "SLURM_ARRAY_TASK_MAX",
        },
    },
    Scheduler {
        name: "the tasks of a Slurm job",
        index: BATCH,
        count: "SLURM_NTASKS",
        first: First::Is(0),
    },
    Scheduler {
        name: "a Kubernetes Indexed Job",
        index: "JOB_COMPLETION_INDEX",
        count: "JOB_COMPLETIONS",
        first: First::Is(0),
    },
    Scheduler {
        name: "GitLab",
        index: "CI_NODE_INDEX",
        count: "CI_NODE_TOTAL",
        first: First::Is(1),
    },
    Scheduler {
        name: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        count: "BUILDKITE_PARALLEL_JOB_COUNT",
        first: First::Is(0),
    },
    Scheduler {
        name: "CircleCI",
        index: "CIRCLE_NODE_INDEX",
        count: "CIRCLE_NODE_TOTAL",
        first: First::Is(0),
    },
    Scheduler {
        name: "test shards",
        index: "TEST_SHARD_INDEX",
        count: "TEST_TOTAL_SHARDS",
        first: First::Is(0),
    },
];

/// Parses `I/N` or `auto`.
///
/// # Errors
/// What is wrong with it, or with the variables of the scheduler.
pub(super) fn part(text: &str) -> Result<Part, String> {
    if text == "auto" {
        return of_scheduler(&|name| std::env::var(name).ok());
    }
    let parts = text
        .split_once('/')
        .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match parts {
        Some((index, count)) if (1..=count).contains(&index) => Ok(Part {
            shard: Shard { index, count },
            from: None,
        }),
        _ => {
            Err("write it as I/N with 1 <= I <= N, as in 2/3, or as auto under a scheduler".into())
        }
    }
}

/// The environment: the value of a variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The part that the scheduler gives this process. The tasks of each member of a Slurm array divide the member's part.
fn of_scheduler(get: Variables<'_>) -> Result<Part, String> {
    let mut found = Vec::new();
    for scheduler in SCHEDULERS {
        found.extend(scheduler.part(get)?.map(|part| (scheduler, part)));
    }
    let several = |(_, part): &(&Scheduler, Part)| part.shard.count > 1;
    if found.iter().any(several) {
        found.retain(several);
    }
    let mut found = found.into_iter();
    let Some((scheduler, part)) = found.next() else {
        let names: Vec<_> = SCHEDULERS.iter().map(|known| known.index).collect();
        return Err(format!(
            "no scheduler is known to have started this: none of {} is set; write I/N instead",
            names.join(", ")
        ));
    };
    let Some((other, inner)) = found.next() else {
        return Ok(part);
    };
    let is_slurm = |scheduler: &Scheduler| scheduler.index.starts_with("SLURM_");
    if found.next().is_some() || !is_slurm(scheduler) || !is_slurm(other) {
        let told = |from: Option<String>| from.unwrap_or_default();
        return Err(format!(
            "two schedulers say which part this is ({} and {}): write I/N instead",
            told(part.from),
            told(inner.from)
        ));
    }
    Ok(Part {
        shard: Shard {
            index: (part.shard.index - 1) * inner.shard.count + inner.shard.index,
            count: part.shard.count * inner.shard.count,
        },
        from: part
            .from
            .zip(inner.from)
            .map(|(one, other)| format!("{one}, {other}")),
    })
}

impl Scheduler {
    /// The part that this scheduler gives; `None` if it has not started this process.
    fn part(&self, get: Variables<'_>) -> Result<Option<Part>, String> {
        let (index, count) = (number(get, self.index)?, number(get, self.count)?);
        let (index, count) = match (index, count) {
            (None, None) => return Ok(None),
            (Some(index), Some(count)) => (index, count),
            // GitLab says that a job is not divided, and then gives no number; a batch script of Slurm has a number alone.
            (None, Some(1)) => return Ok(None),
            (Some(0), None) if self.index == BATCH => return Ok(None),
            (Some(index), None) => {
                return Err(format!(
                    "{}={index} is set and {} is not, as {} needs: set it to the number of parts, or write I/N instead",
                    self.index, self.count, self.name
                ));
            }
            (None, Some(count)) => {
                return Err(format!(
                    "{}={count} is set and {} is not, as {} needs: set it to the number of this part, or write I/N instead",
                    self.count, self.index, self.name
                ));
            }
        };
        let from = format!("{}={index}, {}={count}", self.index, self.count);
        let position = self.position(index, count, get)?;
        if position >= count {
            return Err(format!("{from}: no part of {} has this number", self.name));
        }
        Ok(Some(Part {
            shard: Shard {
                index: position + 1,
                count,
            },
            from: Some(from),
        }))
    }

    /// The position of the part with this number; 0 is the first.
    fn position(&self, index: usize, count: usize, get: Variables<'_>) -> Result<usize, String> {
        let (least, step) = match self.first {
            First::Is(first) => (first, 1),
            First::Of { least, step, most } => {
                let first = number(get, least)?.unwrap_or(0);
                let apart = number(get, step)?.unwrap_or(1).max(1);
                let last = number(get, most)?.unwrap_or(first + apart * count.saturating_sub(1));
                let is_even = last.checked_sub(first) == Some(apart * count.saturating_sub(1));
                if !is_even || index < first || !(index - first).is_multiple_of(apart) {
                    return Err(format!(
                        "the numbers of {} are not evenly spaced ({}={index}, {count} from {first} to {last} in steps of {apart}): number it as in --array=0-{}, or write I/N instead",
                        self.name,
                        self.index,
                        count.saturating_sub(1)
                    ));
                }
                (first, apart)
            }
        };
        let distance = index.checked_sub(least);
        // A number below the first is none of a part's.
        Ok(distance.map_or(usize::MAX, |distance| distance / step))
    }
}

/// The value of a variable that is a number; `None` if it is not set or empty.
fn number(get: Variables<'_>, name: &str) -> Result<Option<usize>, String> {
    match get(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => value.parse().map(Some).map_err(|_| {
            format!("{name}={value} is not a number: correct it, or write I/N instead")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<(usize, usize), String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        of_scheduler(&get).map(|part| {
            assert!(part.from.is_some());
            (part.shard.index, part.shard.count)
        })
    }

    /// Every part of every scheduler is there once.
    #[test]
    fn each_scheduler_is_understood() {
        for scheduler in SCHEDULERS {
            let first = match scheduler.first {
                First::Is(first) => first,
                First::Of { .. } => 0,
            };
            let parts: Vec<_> = (0..4)
                .map(|part| {
                    let index = (first + part).to_string();
                    with(&[(scheduler.index, &index), (scheduler.count, "4")]).unwrap()
                })
                .collect();
            assert_eq!(
                parts,
                [(1, 4), (2, 4), (3, 4), (4, 4)],
                "{}",
                scheduler.name
            );
        }
    }

    #[test]
    fn an_array_may_begin_anywhere_and_have_steps() {
        let member = |index| {
            with(&[
                ("SLURM_ARRAY_TASK_ID", index),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
                ("SLURM_ARRAY_TASK_MIN", "10"),
                ("SLURM_ARRAY_TASK_MAX", "20"),
                ("SLURM_ARRAY_TASK_STEP", "5"),
            ])
        };
        assert_eq!(member("10"), Ok((1, 3)));
        assert_eq!(member("20"), Ok((3, 3)));
        assert!(member("12").unwrap_err().contains("not evenly spaced"));
    }

    #[test]
    fn tasks_divide_the_part_of_a_member() {
        let task = |member, task| {
            with(&[
                ("SLURM_ARRAY_TASK_ID", member),
                ("SLURM_ARRAY_TASK_COUNT", "2"),
                ("SLURM_PROCID", task),
                ("SLURM_NTASKS", "3"),
            ])
        };
        assert_eq!(task("0", "0"), Ok((1, 6)));
        assert_eq!(task("1", "2"), Ok((6, 6)));
    }

    #[test]
    fn one_part_is_the_whole() {
        assert_eq!(
            with(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]),
            Ok((1, 1))
        );
        let beside = [
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "1"),
            ("CI_NODE_INDEX", "2"),
            ("CI_NODE_TOTAL", "3"),
        ];
        assert_eq!(with(&beside), Ok((2, 3)));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |variables: &[(&str, &str)]| with(variables).unwrap_err();
        assert!(told(&[]).contains("none of SLURM_ARRAY_TASK_ID, "));
        assert!(told(&[("JOB_COMPLETION_INDEX", "3")]).contains("JOB_COMPLETIONS is not"));
        assert!(told(&[("CI_NODE_TOTAL", "3")]).contains("CI_NODE_INDEX is not"));
        assert!(told(&[("CI_NODE_TOTAL", "1")]).contains("no scheduler"));
        assert!(told(&[("SLURM_PROCID", "0")]).contains("no scheduler"));
        assert!(told(&[("SLURM_PROCID", "1")]).contains("SLURM_NTASKS is not"));
        let six = [("CIRCLE_NODE_INDEX", "six"), ("CIRCLE_NODE_TOTAL", "8")];
        assert!(told(&six).contains("CIRCLE_NODE_INDEX=six is not a number"));
        let beyond = [("TEST_SHARD_INDEX", "8"), ("TEST_TOTAL_SHARDS", "8")];
        assert!(told(&beyond).contains("no part"));
        let below = [("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "8")];
        assert!(told(&below).contains("no part"));
        let two = [
            ("CIRCLE_NODE_INDEX", "1"),
            ("CIRCLE_NODE_TOTAL", "4"),
            ("TEST_SHARD_INDEX", "2"),
            ("TEST_TOTAL_SHARDS", "4"),
        ];
        assert!(told(&two).contains("two schedulers"));
    }
}
