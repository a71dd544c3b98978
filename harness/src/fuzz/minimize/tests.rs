//! Each bug is reduced to what a person would write, with few candidates.

use memchr::memmem;

use super::*;
use crate::fuzz::{Data, DataPart, SendStep, Step};
use crate::talk::{LenFrame, Uint};

fn send(text: &[u8]) -> Step {
    Step::Send(SendStep::whole(text))
}

fn all(case: &Case) -> Vec<u8> {
    let mut out = Vec::new();
    case.sends().for_each(|send| send.data.write(&mut out));
    out
}

fn repeat(unit: &[u8], count: u32) -> DataPart {
    DataPart::Repeat {
        unit: unit.to_vec(),
        count,
    }
}

/// Minimizes completely within `tries_max` candidates.
fn least(
    cases: Vec<Case>,
    frame: &Frame,
    tries_max: u32,
    bug: impl Fn(&[Case]) -> bool,
) -> Vec<Case> {
    assert!(bug(&cases), "the original shows it");
    let mut seen = std::collections::HashSet::new();
    let mut runs = 0;
    let minimized = minimize(cases, frame, &mut |cases| {
        runs += 1;
        assert!(seen.insert(cases.to_vec()), "tried twice: {cases:?}");
        match bug(cases) {
            true => CandidateOutcome::Same,
            false => CandidateOutcome::Other,
        }
    });
    assert!(minimized.complete);
    assert_eq!(minimized.tries, runs);
    assert!(bug(&minimized.cases), "the result shows it");
    assert!(runs <= tries_max, "{runs} tries: {:?}", minimized.cases);
    minimized.cases
}

fn noisy(trigger: Step) -> Case {
    let cut = Step::Send(SendStep {
        data: b"GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n"[..].into(),
        cuts: vec![3, 9, 20],
    });
    Case::new(vec![
        send(b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Step::Receive,
        Step::Connect,
        cut,
        Step::DelayMs(20),
        Step::Switch(0),
        trigger,
        Step::HalfClose,
        Step::Switch(1),
        Step::Receive,
        Step::Reset,
    ])
}

#[test]
fn a_word_anywhere() {
    let text = b"GET /a?b=%n HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n";
    let cases = vec![noisy(send(b"x")), noisy(send(text)), noisy(send(b"y"))];
    let bug = |cases: &[Case]| {
        cases
            .iter()
            .any(|case| memmem::find(&all(case), b"%n").is_some())
    };
    assert_eq!(
        least(cases, &Frame::Http1, 60, bug),
        [Case::sending(&b"%n"[..])]
    );
}

#[test]
fn a_line_of_one_length() {
    let text: Vec<u8> = (0..312_u32).map(|at| b'!' + (at * 7 % 90) as u8).collect();
    let cases = vec![noisy(send(&[&text[..], b"\nmore\nlines\n"].concat()))];
    let bug = |cases: &[Case]| {
        let lines = cases.iter().map(all);
        lines.into_iter().any(|bytes| {
            bytes
                .split_inclusive(|byte| *byte == b'\n')
                .any(|line| line.len() == 313 && line.ends_with(b"\n"))
        })
    };
    let line = Data::from_iter([repeat(b"a", 312), DataPart::Bytes(b"\n".to_vec())]);
    let frame = Frame::until(b"\n");
    assert_eq!(least(cases, &frame, 150, bug), [Case::sending(line)]);
}

#[test]
fn three_cases_in_order() {
    let mut cases: Vec<Case> = (0..500)
        .map(|at| noisy(send(format!("n{at}\n").as_bytes())))
        .collect();
    cases[77] = noisy(send(b"lock alpha\n"));
    cases[300] = noisy(send(b"drop alpha\n"));
    cases[450] = noisy(send(b"list\n"));
    let bug = |cases: &[Case]| {
        let words: [&[u8]; 3] = [b"lock ", b"drop ", b"list"];
        let mut left = words.iter();
        let mut next = left.next();
        for case in cases {
            if next.is_some_and(|word| memmem::find(&all(case), word).is_some()) {
                next = left.next();
            }
        }
        next.is_none()
    };
    let frame = Frame::until(b"\n");
    let expected = [&b"lock "[..], b"drop ", b"list"].map(Case::sending);
    assert_eq!(least(cases, &frame, 300, bug), expected);
}

#[test]
fn nested_so_deep() {
    let mut data = Data::from(&b"*2\r\n$4\r\nECHO\r\n"[..]);
    data.push(repeat(b"*1\r\n", 60_000));
    data.push(DataPart::Bytes(
        b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n".to_vec(),
    ));
    let cases = vec![noisy(Step::Send(SendStep::whole(data)))];
    let bug = |cases: &[Case]| {
        cases.iter().any(|case| {
            let bytes = all(case);
            let mut deepest = 0;
            let mut depth = 0;
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                depth = if line == b"*1\r\n" { depth + 1 } else { 0 };
                deepest = deepest.max(depth);
            }
            deepest >= 4096
        })
    };
    let expected = Case::sending(Data::repeat(&b"*1\r\n"[..], 4096));
    assert_eq!(least(cases, &Frame::Resp, 100, bug), [expected]);
}

#[test]
fn a_reset_after_half_a_message() {
    let cases = vec![Case::new(vec![
        send(b"hello\n"),
        Step::Receive,
        send(b"set key 0 60 12\r\nabc"),
        Step::DelayMs(5),
        Step::Reset,
        Step::Connect,
        send(b"get key\r\n"),
    ])];
    let bug = |cases: &[Case]| {
        cases.iter().any(|case| {
            let reset = case.steps.iter().position(|step| *step == Step::Reset);
            let Some(Step::Send(last)) = reset.and_then(|at| {
                case.steps[..at]
                    .iter()
                    .rev()
                    .find(|step| matches!(step, Step::Send(_)))
            }) else {
                return false;
            };
            !last.data.to_bytes().ends_with(b"\n")
        })
    };
    let expected = Case::new(vec![send(b"a"), Step::Reset]);
    let frame = Frame::until(b"\r\n");
    assert_eq!(least(cases, &frame, 60, bug), [expected]);
}

#[test]
fn a_length_above_two_to_the_31() {
    let frame = Frame::Len(LenFrame::plain(Uint::from_name("u32be").unwrap()));
    let cases = vec![noisy(send(b"\xff\xff\xff\xffabcdefghijklm"))];
    let bug = |cases: &[Case]| {
        cases.iter().any(|case| {
            let sends = case.sends().map(|send| send.data.to_bytes());
            sends
                .into_iter()
                .any(|bytes| bytes.len() >= 4 && bytes[0] >= 0x80)
        })
    };
    let expected = Case::sending(&b"\xffaaa"[..]);
    assert_eq!(least(cases, &frame, 80, bug), [expected]);

    let cases = vec![noisy(send(
        b"*3\r\n$3\r\nSET\r\n$4294967295\r\nkey\r\n$1\r\n1\r\n",
    ))];
    let bug = |cases: &[Case]| {
        cases.iter().any(|case| {
            let bytes = all(case);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            text.lines().any(|line| {
                let digits = line.strip_prefix('$').unwrap_or_default();
                digits.parse::<u64>().is_ok_and(|number| number > 1 << 31)
            })
        })
    };
    let expected = Case::sending(&b"$4000000000"[..]);
    assert_eq!(least(cases, &Frame::Resp, 130, bug), [expected]);
}

#[test]
fn lengths_stay_true_while_the_payload_shrinks() {
    let cases = vec![Case::sending(
        &b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$27\r\nsome text with %n inside it\r\n"[..],
    )];
    // Only a message with a correct length gets this far.
    let bug = |cases: &[Case]| {
        cases.iter().any(|case| {
            let bytes = all(case);
            let lengths = crate::fuzz::material::announced::announced(&Frame::Resp, &bytes);
            lengths
                .iter()
                .any(|one| memmem::find(&bytes[one.body.clone()], b"%n").is_some())
        })
    };
    let expected = Case::sending(&b"$2\n%n"[..]);
    assert_eq!(least(cases, &Frame::Resp, 120, bug), [expected]);
}

#[test]
fn two_connections_and_a_cut_that_are_needed() {
    let case = Case::new(vec![
        send(b"one\n"),
        Step::Connect,
        send(b"two\n"),
        Step::Connect,
        send(b"three\n"),
        Step::Switch(1),
        Step::Send(SendStep {
            data: b"abc\xc3\xa9def\n"[..].into(),
            cuts: vec![1, 4, 6],
        }),
    ]);
    // A two-byte letter in two pieces while another connection is open.
    let bug = |cases: &[Case]| {
        cases.iter().any(|case| {
            let cut = case.sends().any(|send| {
                let bytes = send.data.to_bytes();
                let at = memmem::find(&bytes, b"\xc3\xa9").map(|at| at as u32 + 1);
                at.is_some_and(|at| send.cuts.contains(&at))
            });
            cut && case.connections() >= 2
        })
    };
    let frame = Frame::until(b"\n");
    let left = least(vec![case], &frame, 80, bug);
    let sent = Step::Send(SendStep {
        data: b"\xc3\xa9"[..].into(),
        cuts: vec![1],
    });
    assert!(
        left[0].steps == [Step::Connect, sent.clone()] || left[0].steps == [sent, Step::Connect]
    );
}

#[test]
fn thousands_of_header_lines() {
    let mut data = Data::from(&b"GET /path HTTP/1.1\r\nHost: localhost\r\n"[..]);
    data.push(repeat(b"Accept-Language: en\r\n", 4096));
    data.push(DataPart::Bytes(b"User-Agent: none\r\n\r\n".to_vec()));
    let cases = vec![noisy(Step::Send(SendStep::whole(data)))];
    let bug = |cases: &[Case]| {
        cases.iter().flat_map(Case::sends).any(|send| {
            let bytes = send.data.to_bytes();
            let head = memmem::find(&bytes, b"\r\n\r\n");
            let head = head.map(|end| bytes[..end].split(|byte| *byte == b'\n'));
            let headers = head.map(|lines| lines.filter(|line| line.contains(&b':')).count());
            bytes.starts_with(b"GET ") && headers.is_some_and(|headers| headers > 2000)
        })
    };
    let expected = Data::from_iter([
        DataPart::Bytes(b"GET ".to_vec()),
        repeat(b":\n", 2000),
        DataPart::Bytes(b":\r\n\r\n".to_vec()),
    ]);
    assert_eq!(
        least(cases, &Frame::Http1, 200, bug),
        [Case::sending(expected)]
    );
}

#[test]
fn another_connection_that_is_not_needed() {
    let cases = vec![Case::new(vec![
        send(b"one\n"),
        Step::Connect,
        send(b"two\n"),
        Step::Connect,
    ])];
    // Both words must arrive, on any connection.
    let bug = |cases: &[Case]| {
        let bytes: Vec<u8> = cases.iter().flat_map(all).collect();
        let at = |word: &[u8]| memmem::find(&bytes, word);
        at(b"one").is_some() && at(b"one") < at(b"two")
    };
    let frame = Frame::until(b"\n");
    assert_eq!(
        least(cases, &frame, 60, bug),
        [Case::sending(&b"onetwo"[..])]
    );
}

#[test]
fn out_of_time_the_best_so_far_is_kept() {
    let mut runs = 0;
    let cases = vec![noisy(send(b"x")), noisy(send(b"%n")), noisy(send(b"y"))];
    let minimized = minimize(cases.clone(), &Frame::None, &mut |cases| {
        runs += 1;
        let shows = cases
            .iter()
            .any(|case| memmem::find(&all(case), b"%n").is_some());
        match (runs, shows) {
            (6.., _) => CandidateOutcome::Stop,
            (_, true) => CandidateOutcome::Same,
            _ => CandidateOutcome::Other,
        }
    });
    assert!(!minimized.complete);
    assert_eq!(minimized.tries, 5);
    assert_eq!(minimized.cases.len(), 1);
    assert!(all(&minimized.cases[0]).windows(2).any(|two| two == b"%n"));
}

/// For any cases: a bug that needs a few bytes is reduced to these bytes.
mod any {
    use proptest::prelude::*;

    use super::*;

    fn any_step() -> impl Strategy<Value = Step> {
        let bytes = proptest::collection::vec(any::<u8>(), 1..60).prop_map(DataPart::Bytes);
        let unit = proptest::collection::vec(any::<u8>(), 1..12);
        let repeat = (unit, 1_u32..300).prop_map(|(unit, count)| DataPart::Repeat { unit, count });
        let data = proptest::collection::vec(prop_oneof![bytes, repeat], 1..4);
        let cuts = proptest::collection::vec(1_u32..90, 0..4);
        let send = (data, cuts).prop_map(|(parts, cuts)| {
            Step::Send(SendStep {
                data: parts.into_iter().collect(),
                cuts,
            })
        });
        prop_oneof![
            4 => send,
            1 => Just(Step::Receive),
            1 => Just(Step::Connect),
            1 => (0_u8..8).prop_map(Step::Switch),
            1 => (1_u32..40).prop_map(Step::DelayMs),
            1 => Just(Step::HalfClose),
            1 => Just(Step::Reset),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn some_bytes(
            cases in proptest::collection::vec(proptest::collection::vec(any_step(), 0..9), 1..5),
            place in any::<proptest::sample::Index>(),
            frame in 0_usize..3,
        ) {
            let cases: Vec<Case> = cases.into_iter().map(Case::new).collect();
            let sent: Vec<Vec<u8>> = cases.iter().flat_map(Case::sends).map(|send| send.data.to_bytes()).collect();
            prop_assume!(!sent.is_empty());
            let bytes = &sent[place.index(sent.len())];
            let at = place.index(bytes.len());
            let needle = bytes[at..(at + 3).min(bytes.len())].to_vec();
            let length = LenFrame::plain(Uint::from_name("u8").unwrap());
            let frame = &[Frame::Resp, Frame::until(b"\n"), Frame::Len(length)][frame];
            let bug = |cases: &[Case]| {
                let mut sends = cases.iter().flat_map(Case::sends);
                sends.any(|send| memmem::find(&send.data.to_bytes(), &needle).is_some())
            };
            let left = least(cases, frame, 700, bug);
            prop_assert_eq!(left, vec![Case::sending(needle)]);
        }
    }
}

#[test]
fn no_case_is_left_without_steps() {
    let nothing = Case::default();
    let cases = vec![
        nothing.clone(),
        noisy(send(b"x")),
        nothing,
        noisy(send(b"y")),
    ];
    // Two connections are enough, whatever they send.
    let small = least(cases, &Frame::until(b"\n"), 200, |cases| cases.len() >= 2);
    assert_eq!(small.len(), 2);
    assert!(small.iter().all(|case| case.steps.len() == 1), "{small:?}");
}
