//! The generator is repeatable, keeps all limits and reaches certain cases early.

use std::collections::BTreeMap;

use memchr::memmem;

use super::*;
use crate::file::{BUILTIN, builtin};
use crate::fuzz::{DataPart, SendStep};

fn material(name: &str) -> Arc<Material> {
    let file = builtin(name).unwrap();
    let strings = [b"SLOWLOG".to_vec()];
    Arc::new(Material::of(
        &file.talk,
        &file.promise,
        7,
        &strings,
        BTreeMap::new(),
    ))
}

#[test]
fn the_same_for_the_same_seed() {
    for name in ["redis", "smtp"] {
        let material = material(name);
        let corpus: Vec<Case> = material
            .seeds
            .iter()
            .map(|seed| seed.case.clone())
            .collect();
        let mut one = Generator::new(material.clone(), 5, 1, 4);
        let mut same = Generator::new(material.clone(), 5, 1, 4);
        let mut other = Generator::new(material, 6, 1, 4);
        let mut different = 0;
        for _ in 0..5000 {
            let generated = one.next(&corpus);
            assert_eq!(generated, same.next(&corpus));
            different += usize::from(generated != other.next(&corpus));
        }
        assert!(different > 2500);
    }
}

#[test]
fn lanes_share_the_first_stage() {
    let material = material("line");
    let whole = Generator::new(material.clone(), 5, 0, 1).planned();
    let shares = (0..3).map(|lane| Generator::new(material.clone(), 5, lane, 3).planned());
    assert_eq!(shares.sum::<usize>(), whole);
}

#[test]
fn limits_are_kept_and_the_first_stage_ends() {
    // All of them take half a minute without optimization.
    let step = std::env::var_os("TCPROVE_SLOW").map_or(4, |_| 1);
    for (name, _, _) in BUILTIN.iter().step_by(step) {
        let material = material(name);
        let mut generator = Generator::new(material.clone(), 1, 0, 1);
        let planned = generator.planned();
        assert!((500..10_000).contains(&planned), "{name}: {planned}");
        let mut corpus = Vec::new();
        for number in 0..2 * planned + 1000 {
            let Generated { case, mutators } = generator.next(&corpus);
            let mut limited = case.clone();
            limited.limit();
            assert_eq!(limited, case, "{name}: {mutators:?}");
            assert!(
                case.sends()
                    .all(|send| send.data.len() <= material.bytes_max())
            );
            if number % 100 == 0 {
                corpus.push(case);
            }
        }
        assert_eq!(generator.planned(), 0);
    }
}

#[test]
fn most_changed_cases_are_cheap() {
    const CASES: usize = 5_000;
    for name in ["redis", "line", "http", "smtp"] {
        let material = material(name);
        let mut generator = Generator::new(material, 1, 0, 1);
        let mut corpus = Vec::new();
        while generator.planned() > 0 {
            corpus.push(generator.next(&[]).case);
        }
        let (mut cheap, mut large, mut unchanged) = (0, 0, 0);
        for _ in 0..CASES {
            let generated = generator.next(&corpus);
            let case = &generated.case;
            let pieces = |send: &SendStep| send.cuts.len() < 3;
            let delays = case
                .steps
                .iter()
                .any(|step| matches!(step, Step::DelayMs(_)));
            let small = case.bytes() <= 4096 && case.sends().all(pieces);
            cheap += usize::from(small && !delays);
            large += usize::from(case.bytes() >= 64 << 10);
            unchanged += usize::from(generated.mutators.is_empty());
        }
        assert!(
            cheap > CASES * 3 / 4,
            "{name}: {cheap} of {CASES} are cheap"
        );
        assert!(
            (CASES / 1_000..CASES * 3 / 100).contains(&large),
            "{name}: {large} of {CASES} are large"
        );
        assert!(unchanged < CASES / 200, "{name}: {unchanged} unchanged");
    }
}

/// A name and a property of a case.
type Wanted<'a> = (&'a str, &'a dyn Fn(&Case) -> bool);

/// Asserts that each of `wanted` is met within 20,000 cases, for five seeds.
fn reaches(name: &str, wanted: &[Wanted<'_>]) {
    let material = material(name);
    for seed in 0..5 {
        let mut generator = Generator::new(material.clone(), seed, 0, 1);
        let mut left: Vec<_> = wanted.to_vec();
        for _ in 0..20_000 {
            let case = generator.next(&[]).case;
            left.retain(|(_, is_met)| !is_met(&case));
            if left.is_empty() {
                break;
            }
        }
        let left: Vec<&str> = left.iter().map(|(what, _)| *what).collect();
        assert!(left.is_empty(), "{name}, seed {seed}: {left:?}");
    }
}

fn sent(case: &Case) -> Vec<u8> {
    let mut out = Vec::new();
    if case.bytes() < 4096 {
        case.sends().for_each(|send| send.data.write(&mut out));
    }
    out
}

fn ends(case: &Case, end: Option<&Step>) -> bool {
    let last = case.steps.last();
    last == end || end.is_none() && matches!(last, Some(Step::Send(_)))
}

#[test]
fn redis_is_nested_and_lied_to() {
    let deep = |case: &Case| {
        let parts = case.sends().flat_map(|send| send.data.parts());
        parts.into_iter().any(|part| {
            matches!(part, DataPart::Repeat { unit, count } if unit == b"*1\r\n" && *count >= 8192)
        })
    };
    let huge = |case: &Case| memmem::find(&sent(case), b"$18446744073709551615\r\n").is_some();
    let negative = |case: &Case| memmem::find(&sent(case), b"$-1\r\n").is_some();
    let true_length = |case: &Case| memmem::find(&sent(case), b"$2\r\n%n\r\n").is_some();
    let of_the_server = |case: &Case| memmem::find(&sent(case), b"$7\r\nSLOWLOG\r\n").is_some();
    reaches(
        "redis",
        &[
            ("deep", &deep),
            ("huge", &huge),
            ("negative", &negative),
            ("true length", &true_length),
            ("of the server", &of_the_server),
        ],
    );
}

#[test]
fn http_has_thousands_of_short_headers() {
    let many = |case: &Case| {
        case.sends().any(|send| {
            let len = send.data.len();
            if !(8192..=16 << 10).contains(&len) {
                return false;
            }
            let bytes = send.data.to_bytes();
            let colons = bytes.iter().filter(|byte| **byte == b':').count();
            let lines = memmem::find_iter(&bytes, "\r\n").count();
            bytes.starts_with(b"GET /")
                && bytes.ends_with(b"\r\n\r\n")
                && lines > 2003
                && colons > 2001
        })
    };
    let lied = |case: &Case| memmem::find(&sent(case), b"Content-Length: -1\r\n").is_some();
    reaches("http", &[("many", &many), ("lied", &lied)]);
}

#[test]
fn lines_of_all_kinds() {
    let one_line = |case: &Case, len: usize| {
        let bytes = sent(case);
        bytes.len() == len && memchr::memchr(b'\n', &bytes) == Some(len - 1)
    };
    let half = |case: &Case, end: Option<&Step>| {
        let bytes = sent(case);
        !bytes.is_empty() && !bytes.contains(&b'\n') && ends(case, end)
    };
    reaches(
        "line",
        &[
            ("313", &|case| one_line(case, 313)),
            ("1024", &|case| one_line(case, 1024)),
            ("empty", &|case| sent(case) == b"\n"),
            ("%n", &|case| memmem::find(&sent(case), b"%n").is_some()),
            ("NUL", &|case| sent(case).contains(&0)),
            ("not UTF-8", &|case| {
                std::str::from_utf8(&sent(case)).is_err()
            }),
            ("half, FIN", &|case| half(case, None)),
            ("half, RST", &|case| half(case, Some(&Step::Reset))),
            ("half, FIN, more to read", &|case| {
                half(case, Some(&Step::HalfClose))
            }),
            ("two connections", &|case| case.connections() > 1),
            ("cut", &|case| {
                case.sends().any(|send| !send.cuts.is_empty())
            }),
        ],
    );
}

#[test]
fn a_long_talk_has_all_tokens_and_few_cases() {
    let file = builtin("memcached").unwrap();
    let mut talk = file.talk;
    for _ in 0..6 {
        talk.turns.extend(talk.turns.clone());
    }
    let material = Material::of(&talk, &file.promise, 1, &[], BTreeMap::new());
    let mut generator = Generator::new(Arc::new(material), 1, 0, 1);
    assert!((3000..14_000).contains(&generator.planned()));
    let mut tokens: Vec<&[u8]> = crate::fuzz::material::TOKENS.to_vec();
    while generator.planned() > 0 {
        let bytes = sent(&generator.next(&[]).case);
        tokens.retain(|token| memmem::find(&bytes, token).is_none());
    }
    assert!(tokens.is_empty(), "{tokens:?}");
}

#[test]
fn openings_are_kept_most_of_the_time() {
    let material = material("smtp");
    let opening = material.opening.clone();
    let mut generator = Generator::new(material, 1, 0, 1);
    let with_opening = (0..20_000).filter(|_| generator.next(&[]).case.steps.starts_with(&opening));
    assert!(with_opening.count() > 18_000);
}

mod any {
    use arbitrary::{Arbitrary, Unstructured};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// For any corpus: generated cases keep the limits.
        #[test]
        fn corpora(
            raw in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6),
            seed in any::<u64>(),
            talk in 0..BUILTIN.len(),
        ) {
            let cases = raw.iter().map(|raw| Case::arbitrary(&mut Unstructured::new(raw)));
            let corpus: Vec<Case> = cases.map(Result::unwrap).collect();
            let mut generator = Generator::new(material(BUILTIN[talk].0), seed, 0, 1);
            generator.stage.clear();
            for _ in 0..200 {
                let case = generator.next(&corpus).case;
                prop_assert_eq!(&Case::new(case.steps.clone()), &case);
            }
        }
    }
}
