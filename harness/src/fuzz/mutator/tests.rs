//! Each mutator changes each built-in talk and keeps the limits.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::file::builtin;
use crate::fuzz::case::Case;
use crate::fuzz::material::Material;
use crate::fuzz::random::Random;
use crate::fuzz::{Data, DataPart, SendStep, Step};
use crate::talk::Frame;

fn material(name: &str) -> Material {
    let file = builtin(name).unwrap();
    Material::of(&file.talk, &file.promise, 7, &[], BTreeMap::new())
}

fn run(mutator: &Mutator, case: &mut Case, material: &Material, random: &mut Random) -> bool {
    let mut mutating = Mutating {
        touched: case.steps.len(),
        case,
        material,
        corpus: &[],
        random,
        from: 0,
        answered: true,
    };
    (mutator.run)(&mut mutating)
}

#[test]
fn each_one_changes_something() {
    for name in [
        "redis",
        "line",
        "http",
        "frame",
        "memcached",
        "tutorial",
        "smtp",
    ] {
        let material = material(name);
        for mutator in MUTATORS {
            let mut random = Random::new(3, 0);
            let mut changed = 0;
            for turn in 0..400 {
                let seed = &material.seeds[turn % material.seeds.len()].case;
                let mut case = seed.clone();
                let said = run(mutator, &mut case, &material, &mut random);
                assert!(
                    said || case == *seed || mutator.name == "turns",
                    "{name} {}",
                    mutator.name
                );
                changed += usize::from(said && case != *seed);
            }
            // Some talks have no numbers in their text; length frames have a binary length.
            let without = match mutator.name {
                "lengths" => matches!(name, "line" | "tutorial" | "smtp"),
                // No dictionary has messages for them.
                "messages" => matches!(name, "line" | "tutorial" | "frame"),
                "numbers" => matches!(name, "line" | "tutorial" | "smtp" | "frame"),
                _ => false,
            };
            assert!(
                changed > 20 || without,
                "{name}: {} changed {changed} of 400",
                mutator.name
            );
        }
    }
}

#[test]
fn what_comes_before_the_first_change_stays() {
    let material = material("smtp");
    let mut random = Random::new(5, 0);
    for round in 0..20_000 {
        let seed = &material.seeds[round % material.seeds.len()].case;
        let mut case = seed.clone();
        let from = random.between(0, case.steps.len() - 1);
        let mut mutating = Mutating {
            touched: case.steps.len(),
            case: &mut case,
            material: &material,
            corpus: &[],
            random: &mut random,
            from,
            answered: true,
        };
        let mutator = MUTATORS[round % MUTATORS.len()];
        (mutator.run)(&mut mutating);
        let kept = from.min(case.steps.len());
        assert_eq!(case.steps[..kept], seed.steps[..kept], "{}", mutator.name);
    }
}

#[test]
fn lies_reach_every_border() {
    let bytes = b"*1\r\n$12\r\n";
    let fields = crate::fuzz::material::announced::fields(&Frame::Resp, bytes);
    let lies = lies(&Frame::Resp, &fields[1], bytes);
    for lie in [
        "0",
        "-1",
        "11",
        "13",
        "2147483648",
        "4294967295",
        "18446744073709551615",
    ] {
        assert!(lies.contains(&lie.as_bytes().to_vec()), "{lie}");
    }
    assert!(!lies.contains(&b"12".to_vec()));
}

fn any_data() -> impl Strategy<Value = Data> {
    let bytes = proptest::collection::vec(any::<u8>(), 1..200).prop_map(DataPart::Bytes);
    let lines =
        "[ -~]{0,20}(\r\n|\n)[0-9]{0,45}\r\n".prop_map(|text| DataPart::Bytes(text.into_bytes()));
    let repeat = (proptest::collection::vec(any::<u8>(), 1..9), 1_u32..9000)
        .prop_map(|(unit, count)| DataPart::Repeat { unit, count });
    let part = prop_oneof![bytes, lines, repeat];
    proptest::collection::vec(part, 1..4).prop_map(Data::from_iter)
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any_data().prop_map(|data| Step::Send(SendStep::whole(data))),
        1 => Just(Step::Receive),
        1 => Just(Step::Connect),
        1 => (0_u8..8).prop_map(Step::Switch),
        1 => Just(Step::HalfClose),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For any corpus: no mutator panics or leaves a case that the limits cannot repair.
    #[test]
    fn any_case_can_be_changed(
        steps in proptest::collection::vec(any_step(), 0..8),
        seed in any::<u64>(),
        talk in 0_usize..4,
    ) {
        let material = material(["redis", "http", "frame", "tutorial"][talk]);
        let mut random = Random::new(seed, 0);
        let base = Case::new(steps);
        for mutator in MUTATORS {
            let mut case = base.clone();
            for _ in 0..4 {
                run(mutator, &mut case, &material, &mut random);
            }
            case.limit();
            let limited = case.clone();
            case.limit();
            prop_assert_eq!(case, limited);
        }
    }
}
