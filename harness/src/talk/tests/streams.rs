//! A stream of messages decodes to the same messages however it is segmented.

use proptest::prelude::*;

use crate::talk::frame::{
    Delimiters, Digits, DigitsEnd, Frame, HeaderFrame, LenFrame, LengthBits, LengthCode,
    LengthScope, Radix, Several,
};
use crate::talk::{Pattern, Uint};

/// A frame and messages of this frame.
fn streams() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    prop_oneof![
        with_ends(Frame::until(b"\r\n"), "[ab\r]{0,8}[ab]?", "\r\n"),
        with_ends(Frame::until(b"aab"), "[bc]{0,6}", "aab"),
        with_ends(Frame::Lines(2), "[ab]{0,4}\n[ab]{0,4}", "\n"),
        with_ends(
            Frame::LastLine(Pattern::regex(r"^\d{3} ").unwrap()),
            "(\\d{3}-[a-z]{0,4}\r\n){0,3}\\d{3} [a-z]{0,4}",
            "\r\n"
        ),
        with_ends(one_of_two(), "[ab]{0,3}(\0[ab])?", "\n"),
        with_ends(one_of_two(), "[ab]{0,4}", "\0\0"),
        lengths(),
        headed(),
        websockets(),
        several(),
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

fn length_codes() -> impl Strategy<Value = LengthCode> {
    let field = |name: &str| LengthCode::Binary(Uint::from_name(name).unwrap());
    let radix = proptest::sample::select(vec![Radix::Decimal, Radix::Hex]);
    let end = prop_oneof![
        (3..9_usize).prop_map(DigitsEnd::Count),
        proptest::sample::select(vec![":", "#", "\r\n"])
            .prop_map(|end| DigitsEnd::Until(end.as_bytes().to_vec())),
    ];
    prop_oneof![
        proptest::sample::select(Uint::NAMES.map(field).to_vec()),
        Just(LengthCode::Varint),
        Just(LengthCode::Ber),
        (radix, end).prop_map(|(radix, end)| LengthCode::Digits(Digits { radix, end })),
    ]
}

/// Any length, with bytes before and after it, a trailer, and bytes that end the message.
fn len_frames() -> impl Strategy<Value = LenFrame> {
    let counts = proptest::sample::select(vec![
        LengthScope::Body,
        LengthScope::FromField,
        LengthScope::Whole,
    ]);
    let sizes = (0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize);
    let masked = any::<bool>();
    (length_codes(), sizes, counts, masked).prop_map(
        |(code, (at, rest, trailer, after), counts, masked)| {
            let bits = matches!(code, LengthCode::Binary(field) if masked && field.width > 1);
            LenFrame {
                bits: bits.then_some(LengthBits {
                    mask: 0x7ff0,
                    others: u64::MAX,
                }),
                before: vec![7; at],
                // A length of variable size ends its header.
                between: vec![7; code.fixed_size().map_or(0, |_| rest)],
                counts,
                trailer,
                after: vec![9; after],
                ..LenFrame::of(code)
            }
        },
    )
}

/// Bodies that the frame can hold.
fn bodies(trailer: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), trailer..60)
}

fn lengths() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    (len_frames(), proptest::collection::vec(bodies(2), 0..6)).prop_map(|(frame, bodies)| {
        let frame = Frame::Len(frame);
        let messages = bodies.iter().map(|body| frame.wrap(body)).collect();
        (frame, messages)
    })
}

fn header() -> Frame {
    Frame::Header(HeaderFrame {
        name: "Content-Length".to_owned(),
    })
}

/// Messages of a language server; some have another field too.
fn headed() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    let message = ("(Content-Type: [a-z]{0,5}\r\n)?", bodies(0)).prop_map(|(field, body)| {
        let head = format!("{field}content-length:{}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    });
    proptest::collection::vec(message, 0..5).prop_map(|messages| (header(), messages))
}

/// WebSocket messages of one to three frames, masked or not, with pings between the frames.
fn websockets() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    let frame = |first: u8, mask: Option<[u8; 4]>, body: &[u8]| {
        let mut frame = Vec::new();
        let key = mask.unwrap_or_default();
        Frame::WebSocket
            .enclose(Some(&[first]), body, key, &mut frame)
            .unwrap();
        if mask.is_none() {
            frame[1] &= 0x7f;
            let end = frame.len() - body.len();
            frame.drain(end - 4..end);
        }
        frame
    };
    let key = proptest::option::of(any::<[u8; 4]>());
    let size = prop_oneof![8 => 0..140_usize, 1 => Just(65_535), 1 => Just(65_536)];
    let message = (1..4_usize, size, key, any::<bool>()).prop_map(
        move |(frames, size, mask, pings): (usize, usize, Option<[u8; 4]>, bool)| {
            let body: Vec<u8> = (0..size).map(|at| at as u8).collect();
            let mut message = Vec::new();
            for number in 1..=frames {
                let fin = if number == frames { 0x80 } else { 0 };
                let opcode = if number == 1 { 2 } else { 0 };
                message.extend(frame(fin | opcode, mask, &body));
                if pings && number < frames {
                    message.extend(frame(0x89, mask, b"ping"));
                }
            }
            message
        },
    );
    proptest::collection::vec(message, 0..4).prop_map(|messages| (Frame::WebSocket, messages))
}

/// Replies of PostgreSQL: frames up to one of type Z.
fn several() -> impl Strategy<Value = (Frame, Vec<Vec<u8>>)> {
    let each = Frame::Len(LenFrame {
        before: vec![0],
        counts: LengthScope::FromField,
        ..LenFrame::plain(Uint::from_name("u32be").unwrap())
    });
    let frame = Frame::Several(Box::new(Several {
        each: each.clone(),
        last: Pattern::Start(b"Z".to_vec()),
    }));
    let typed = move |kind: u8, body: &[u8]| {
        let mut frame = Vec::new();
        each.enclose(Some(&[kind]), body, [0; 4], &mut frame)
            .unwrap();
        frame
    };
    let rows = proptest::collection::vec(bodies(0), 0..4);
    let message = rows.prop_map(move |rows| {
        let rows = rows.iter().map(|row| typed(b'D', row));
        rows.chain([typed(b'Z', b"I")]).collect::<Vec<_>>().concat()
    });
    (Just(frame), proptest::collection::vec(message, 0..4))
}

fn one_of_two() -> Frame {
    Frame::Until(Delimiters::new(vec![b"\n".to_vec(), b"\0\0".to_vec()]).unwrap())
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
        Just(Frame::until(b"\r\n")),
        Just(Frame::Lines(2)),
        Just(Frame::LastLine(Pattern::regex("^1").unwrap())),
        len_frames().prop_map(Frame::Len),
        Just(header()),
        Just(Frame::WebSocket),
        Just(one_of_two()),
        several().prop_map(|(frame, _)| frame),
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
    fn a_body_survives_its_frame(
        frame in prop_oneof![len_frames().prop_map(Frame::Len), Just(header()), Just(Frame::WebSocket)],
        body in proptest::collection::vec(any::<u8>(), 2..200),
    ) {
        let message = frame.wrap(&body);
        prop_assert_eq!(&*frame.body(&message), &body[..]);
        let stated = frame.header_len(&message);
        prop_assert!(stated > 0 && message[stated..].starts_with(&body));
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
            "(Content-Length: ?[0-9x]{0,3}\r\n){0,2}\r\n[a-z]{0,20}".prop_map(String::into_bytes),
            "[0-9a-f:#]{0,12}".prop_map(String::into_bytes),
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
