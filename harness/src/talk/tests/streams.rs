//! A stream of messages decodes to the same messages however it is segmented.

use proptest::prelude::*;

use crate::talk::frame::{Frame, LenFrame, LengthScope};
use crate::talk::{Pattern, Uint};

/// A frame and messages of this frame.
fn streams() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    prop_oneof![
        with_ends(Frame::Until(b"\r\n".to_vec()), "[ab\r]{0,8}[ab]?", "\r\n"),
        with_ends(Frame::Until(b"aab".to_vec()), "[bc]{0,6}", "aab"),
        with_ends(Frame::Lines(2), "[ab]{0,4}\n[ab]{0,4}", "\n"),
        with_ends(
            Frame::LastLine(Pattern::regex(r"^\d{3} ").unwrap()),
            "(\\d{3}-[a-z]{0,4}\r\n){0,3}\\d{3} [a-z]{0,4}",
            "\r\n"
        ),
        lengths(),
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 5), 0..6)
            .prop_map(|messages| (Frame::Fixed(5), messages)),
        proptest::collection::vec(resp(), 0..5).prop_map(|messages| (Frame::Resp, messages)),
        proptest::collection::vec(http(), 0..5).prop_map(|messages| (Frame::Http1, messages)),
    ]
}

fn with_ends(
    frame: Frame,
    text: &'static str,
    end: &'static str,
) -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    proptest::collection::vec(text, 0..6).prop_map(move |texts| {
        let messages = texts
            .into_iter()
            .map(|text| format!("{text}{end}").into_bytes());
        (frame.clone(), messages.collect())
    })
}

fn len_frames() -> impl Strategy<Value = LenFrame> {
    let field = proptest::sample::select(Uint::NAMES.to_vec());
    let counts = proptest::sample::select(vec![
        LengthScope::Body,
        LengthScope::FromField,
        LengthScope::Whole,
    ]);
    (field, 0..3_usize, 0..3_usize, counts).prop_map(|(name, at, rest, counts)| {
        let field = Uint::from_name(name).unwrap();
        let header = at + field.width + rest;
        LenFrame {
            field,
            at,
            header,
            counts,
            fill: vec![7; header],
        }
    })
}

fn lengths() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    let bodies = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6);
    (len_frames(), bodies).prop_map(|(frame, bodies)| {
        let frame = Frame::Len(frame);
        let messages = bodies.iter().map(|body| frame.wrap(body)).collect();
        (frame, messages)
    })
}

fn resp() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        "[+:#,(_-][a-z0-9 ]{0,6}".prop_map(|line| format!("{line}\r\n").into_bytes()),
        proptest::sample::select(vec!["$-1\r\n", "*-1\r\n", "*0\r\n"])
            .prop_map(|nil| nil.as_bytes().to_vec()),
        ("[$!=]", proptest::collection::vec(any::<u8>(), 0..12)).prop_map(|(kind, bulk)| {
            [
                format!("{kind}{}\r\n", bulk.len()).as_bytes(),
                &bulk,
                b"\r\n",
            ]
            .concat()
        }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        ("[*~>%|]", proptest::collection::vec(inner, 0..5)).prop_map(|(kind, mut items)| {
            let count = match kind.as_str() {
                "%" | "|" => {
                    let pairs = items.len() / 2;
                    items.truncate(2 * pairs);
                    pairs
                }
                _ => items.len(),
            };
            if kind == "|" {
                items.push(b"+value\r\n".to_vec());
            }
            [format!("{kind}{count}\r\n").into_bytes(), items.concat()].concat()
        })
    })
}

fn http() -> impl Strategy<Value = Vec<u8>> {
    let start = proptest::sample::select(vec!["GET / HTTP/1.1", "HTTP/1.1 200 OK", "HTTP/1.0 404"]);
    let bodies = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..4);
    (
        start,
        "(X-[a-z]{1,5}: [a-z]{0,5}\r\n){0,3}",
        any::<bool>(),
        bodies,
    )
        .prop_map(|(start, fields, chunked, bodies)| {
            let mut message = format!("{start}\r\n{fields}").into_bytes();
            if !chunked {
                let body = bodies.concat();
                message.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                message.extend(body);
                return message;
            }
            message.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in bodies {
                message.extend(format!("{:x}\r\n", chunk.len()).bytes());
                message.extend(chunk);
                message.extend(b"\r\n");
            }
            message.extend(b"0\r\n\r\n");
            message
        })
}

/// Feeds a stream in pieces, as a session would, and returns the messages.
fn decode(frame: &Frame, stream: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut decoder = frame.decoder();
    let (mut buffer, mut messages) = (Vec::new(), Vec::new());
    let mut start = 0;
    for end in cuts.iter().copied().chain([stream.len()]) {
        buffer.extend_from_slice(&stream[start..end]);
        start = end;
        while let Some(len) = decoder.next(&buffer).unwrap() {
            messages.push(buffer.drain(..len).collect());
            decoder.reset();
        }
    }
    assert!(buffer.is_empty(), "left over: {buffer:?}");
    messages
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::Until(b"\r\n".to_vec())),
        Just(Frame::Lines(2)),
        Just(Frame::LastLine(Pattern::regex("^1").unwrap())),
        len_frames().prop_map(Frame::Len),
        Just(Frame::Fixed(4)),
        Just(Frame::Resp),
        Just(Frame::Http1),
        Just(Frame::Eof),
    ]
}

proptest! {
    #[test]
    fn any_cutting_decodes_to_the_same_messages(
        (frame, messages) in streams(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let stream = messages.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&decode(&frame, &stream, &cuts), &messages);
        let every: Vec<usize> = (0..stream.len()).collect();
        prop_assert_eq!(&decode(&frame, &stream, &every), &messages);
    }

    #[test]
    fn a_body_survives_its_frame(frame in len_frames(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let frame = Frame::Len(frame);
        let message = frame.wrap(&body);
        prop_assert_eq!(frame.body(&message), &body[..]);
        prop_assert_eq!(frame.decoder().next(&message).unwrap(), Some(message.len()));
        for cut in frame.cut_points(&message) {
            prop_assert!((1..message.len()).contains(&cut));
        }
    }

    #[test]
    fn hostile_bytes_give_one_answer(
        frame in any_frame(),
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "[*$%|>+:0-9\r\nGETHP/1. a-]{0,60}".prop_map(String::into_bytes),
            "HTTP/1.1 200\r\n(Content-Length: [0-9x]{0,3}\r\n|Transfer-Encoding: chunked\r\n){0,2}\r\n[0-9a\r\n]{0,20}".prop_map(String::into_bytes),
        ],
    ) {
        let whole = frame.decoder().next(&bytes);
        let mut decoder = frame.decoder();
        let stepwise = (0..=bytes.len())
            .map(|end| decoder.next(&bytes[..end]))
            .find(|answer| *answer != Ok(None))
            .unwrap_or(Ok(None));
        prop_assert_eq!(whole.is_err(), stepwise.is_err(), "{:?} {:?}", whole, stepwise);
        if let (Ok(whole), Ok(stepwise)) = (whole, stepwise) {
            prop_assert_eq!(whole, stepwise);
        }
        let _ = frame.decoder().finish(&bytes);
        let _ = frame.cut_points(&bytes);
        let _ = frame.body(&bytes);
    }
}
