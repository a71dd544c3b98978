//! Properties of every service, for streams cut at arbitrary places.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;

use super::{Flow, Protocol, Service};

const MAX: usize = 16;

/// Feeds the pieces until the service closes. Returns the replies and the last flow.
fn feed<'a>(service: &mut dyn Service, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Flow) {
    let mut out = Vec::new();
    for piece in pieces {
        if service.on_bytes(piece, &mut out) == Flow::Close {
            return (out, Flow::Close);
        }
    }
    service.on_eof(&mut out);
    (out, Flow::Continue)
}

fn whole(protocol: Protocol, input: &[u8]) -> (Vec<u8>, Flow) {
    feed(&mut *protocol.service(MAX), std::iter::once(input))
}

/// Cuts the input at these places, modulo its length.
fn cut<'a>(input: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places
        .iter()
        .map(|place| place % (input.len() + 1))
        .collect();
    places.extend([0, input.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|ends| &input[ends[0]..ends[1]])
        .collect()
}

/// Streams of short lines and frames, valid and invalid, that reach every limit.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(vec![0, 0, 0, 2, b'a', b'b']),
        Just(vec![0, 0, 0, 0]),
        Just("问题".as_bytes().to_vec()),
        Just(vec![0xff]),
        prop::collection::vec(any::<u8>(), 0..8),
        prop::collection::vec(b'a'..=b'z', 0..20),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn the_command_begins_tls_however_the_stream_is_cut(
        before in "([a-z]{0,6}\n){0,4}",
        after in "[a-z\n]{0,9}",
        ending in prop_oneof![Just("\n"), Just("\r\n")],
        places in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let input = format!("{before}STARTTLS{ending}{after}");
        let mut service = Protocol::Line.service_with_starttls(MAX).unwrap();
        let (mut out, mut taken) = (Vec::new(), 0);
        for piece in cut(input.as_bytes(), &places) {
            taken += piece.len();
            if service.on_bytes(piece, &mut out) == Flow::StartTls {
                break;
            }
        }
        // What follows the command is not answered, although it was received.
        prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{before}OK begin TLS\n"));
        prop_assert!(taken >= input.len() - after.len());
        prop_assert!(!service.in_flight());
        let mut out = Vec::new();
        prop_assert_eq!(service.on_bytes(b"STARTTLS\n", &mut out), Flow::Continue);
        prop_assert_eq!(out, b"STARTTLS\n");
    }
}

proptest! {
    #[test]
    fn framed_services_answer_alike_however_the_stream_is_cut(
        input in stream(),
        places in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        for protocol in [Protocol::Echo, Protocol::Line, Protocol::Frame] {
            let expected = whole(protocol, &input);
            let pieces = cut(&input, &places);
            let got = feed(&mut *protocol.service(MAX), pieces.into_iter());
            prop_assert_eq!(&got, &expected, "{} in pieces", protocol);
            let got = feed(&mut *protocol.service(MAX), input.chunks(1));
            prop_assert_eq!(&got, &expected, "{} bytewise", protocol);
        }
    }

    #[test]
    fn replies_are_bounded_by_the_input(input in stream()) {
        for protocol in Protocol::all() {
            let (out, _) = whole(*protocol, &input);
            // The worst case is a refusal for each empty invalid line.
            prop_assert!(out.len() <= input.len() * 20 + 64, "{}", protocol);
        }
    }

    #[test]
    fn the_tutorial_answers_a_text_cut_inside_a_character(text in "[a-z问题é😀]{1,3}", place in any::<usize>()) {
        let input = text.as_bytes();
        let place = place % input.len();
        prop_assume!(!text.is_char_boundary(place));
        let (out, flow) =
            feed(&mut *Protocol::Tutorial.service(MAX), [&input[..place], &input[place..]].into_iter());
        prop_assert_eq!(flow, Flow::Close);
        if std::str::from_utf8(&input[..place]).is_err() {
            prop_assert_eq!(String::from_utf8(out).unwrap(), "ok, 问题正在处理中...");
        }
    }
}

fn text(protocol: Protocol, input: &[u8]) -> (String, Flow) {
    let (out, flow) = whole(protocol, input);
    (String::from_utf8(out).unwrap(), flow)
}

#[test]
fn the_tutorial_explains_refusals() {
    let answer = |input| text(Protocol::Tutorial, input).0;
    assert_eq!(answer(b"hello"), "ok, 问题正在处理中...");
    assert_eq!(answer(b"\xff"), "error: not valid UTF-8");
    assert_eq!(answer(&"问".as_bytes()[..2]), "error: not valid UTF-8");
    assert_eq!(answer(&[b'a'; MAX]), "ok, 问题正在处理中...");
    assert_eq!(answer(&[b'a'; MAX + 1]), "error: message too long");
    assert_eq!(answer(b""), "");
}

#[test]
fn the_tutorial_notes_what_it_answered() {
    let mut service = Protocol::Tutorial.service(MAX);
    let mut out = Vec::new();
    let input = "问题".as_bytes();
    assert_eq!(service.on_bytes(&input[..4], &mut out), Flow::Continue);
    assert!(service.in_flight() && service.take_note().is_none());
    assert_eq!(service.on_bytes(&input[4..], &mut out), Flow::Close);
    let note = service.take_note().unwrap();
    assert_eq!((note.length, note.text.as_str()), (6, "问题"));
}

#[test]
fn a_line_may_be_as_long_as_the_limit_with_its_ending() {
    let line = |length: usize| [vec![b'a'; length - 1], vec![b'\n']].concat();
    assert_eq!(
        whole(Protocol::Line, &line(MAX)),
        (line(MAX), Flow::Continue)
    );
    let too_long = ("ERR line too long\n".to_owned(), Flow::Close);
    assert_eq!(text(Protocol::Line, &line(MAX + 1)), too_long);
    assert_eq!(text(Protocol::Line, &[b'a'; MAX]), too_long);
}

#[test]
fn carriage_returns_and_unfinished_lines_are_not_echoed() {
    let expected = "a\n\nERR not valid UTF-8\nb\rc\n".to_owned();
    let got = text(Protocol::Line, b"a\r\n\n\xc3\x28\nb\rc\nrest");
    assert_eq!(got, (expected, Flow::Continue));
}

#[test]
fn a_frame_may_be_as_long_as_the_limit_with_its_header() {
    let frame = |length: u32| {
        [
            length.to_be_bytes().to_vec(),
            vec![7; usize::try_from(length).unwrap()],
        ]
        .concat()
    };
    let limit = u32::try_from(MAX - 4).unwrap();
    assert_eq!(
        whole(Protocol::Frame, &frame(limit)),
        (frame(limit), Flow::Continue)
    );
    let refusal = b"\0\0\0\x12ERR frame too long".to_vec();
    assert_eq!(
        whole(Protocol::Frame, &frame(limit + 1)),
        (refusal.clone(), Flow::Close)
    );
    assert_eq!(whole(Protocol::Frame, &[0xff; 4]), (refusal, Flow::Close));
    assert_eq!(
        whole(Protocol::Frame, &[0; 8]),
        (vec![0; 8], Flow::Continue)
    );
}

#[test]
fn a_long_request_in_single_bytes_takes_linear_time() {
    // Scanning from the beginning for each byte would take 10^12 steps and never end.
    const LONG: usize = 1_000_000;
    for protocol in [Protocol::Line, Protocol::Frame, Protocol::Tutorial] {
        let mut service = protocol.service(LONG + 8);
        let length = u32::try_from(LONG).unwrap().to_be_bytes();
        let begin: &[u8] = match protocol {
            Protocol::Frame => &length,
            // The first byte of a character: the text is unfinished.
            Protocol::Tutorial => b"\xc3",
            _ => b"",
        };
        let mut out = Vec::new();
        assert_eq!(service.on_bytes(begin, &mut out), Flow::Continue);
        for index in 0..LONG - 1 {
            let piece: &[u8] = if protocol == Protocol::Tutorial && index % 2 == 0 {
                b"\xa9\xc3"
            } else if protocol == Protocol::Tutorial {
                b""
            } else {
                b"a"
            };
            assert_eq!(service.on_bytes(piece, &mut out), Flow::Continue);
        }
        assert!(out.is_empty() && service.in_flight(), "{protocol}");
    }
}

#[test]
fn only_lines_have_the_command_that_begins_tls() {
    for protocol in Protocol::all() {
        let has = protocol.service_with_starttls(MAX).is_some();
        assert_eq!(has, *protocol == Protocol::Line, "{protocol}");
    }
}

#[test]
fn names_parse_back() {
    for protocol in Protocol::all() {
        assert_eq!(protocol.name().parse::<Protocol>().unwrap(), *protocol);
    }
    assert!("nothing".parse::<Protocol>().is_err());
}
