//! Puts a step that injects a result into a generated case.

use crate::fuzz::material::Material;
use crate::fuzz::random::Random;
use crate::fuzz::{Case, Step};

/// One in this many cases gets such a step, if results can be injected.
const INJECTED_ONE_IN: usize = 3;
/// How many calls get the result, each as often as it stands here.
const TIMES: [u32; 5] = [1, 1, 1, 2, 4];

/// Lets some cases inject a result: before any of their sends, at their end, or as one more client connects.
pub(super) fn inject(material: &Material, random: &mut Random, case: &mut Case) {
    if material.injections.is_empty() || case.injects() || !random.one_in(INJECTED_ONE_IN) {
        return;
    }
    let (Some(one), Some(times)) = (random.pick(&material.injections), random.pick(&TIMES)) else {
        return;
    };
    let is_of_accept = one.is_of_accept();
    let step = Step::Inject(one.repeated(*times));
    if is_of_accept {
        connecting(material, random, case, step);
    } else {
        let sends = case.steps.iter().enumerate();
        let sends = sends.filter(|(_, step)| matches!(step, Step::Send(_)));
        let mut places: Vec<usize> = sends.map(|(at, _)| at).collect();
        places.push(case.steps.len());
        let at = random.pick(&places).copied().unwrap_or_default();
        case.steps.insert(at, step);
    }
    case.limit();
}

/// The client of the whole case, or another one after it, is the next to be accepted.
fn connecting(material: &Material, random: &mut Random, case: &mut Case, step: Step) {
    if case.connections() == 1 && random.one_in(2) {
        case.steps.splice(0..0, [step, Step::Connect]);
        return;
    }
    case.steps.extend([step, Step::Connect]);
    if let Some(seed) = material.pick_seed(random)
        && seed.case.connections() == 1
    {
        case.steps.extend(seed.case.steps.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::file::builtin;
    use crate::fuzz::InjectStep;
    use crate::process::injector::Injected;

    fn material(call: &'static str) -> Material {
        let file = builtin("line").unwrap();
        let (talk, promise) = (&file.talk, &file.promise);
        let mut material = Material::of(talk, promise, 1, &[], BTreeMap::new());
        let error = Injected::Error(libc::EPROTO);
        material.injections = vec![InjectStep::once(call, error)];
        material
    }

    #[test]
    fn some_cases_inject() {
        for (call, is_of_accept) in [("accept4", true), ("read", false)] {
            let material = material(call);
            let mut random = Random::new(3, 0);
            let mut injecting = 0;
            for _ in 0..300 {
                let mut case = Case::sending(&b"x\n"[..]);
                inject(&material, &mut random, &mut case);
                injecting += usize::from(case.injects());
                let at = case
                    .steps
                    .iter()
                    .position(|step| matches!(step, Step::Inject(_)));
                let connects = at.is_some_and(|at| case.steps.get(at + 1) == Some(&Step::Connect));
                assert_eq!(connects, case.injects() && is_of_accept, "{case:?}");
            }
            assert!((50..150).contains(&injecting), "{injecting}");
        }
    }
}
