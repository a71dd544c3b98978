//! Lengths of every kind, with messages of the protocols that have them.

use crate::talk::frame::{
    Delimiters, Digits, DigitsEnd, Frame, FrameError, HeaderFrame, LenFrame, LengthBits,
    LengthCode, LengthScope, Radix, Several,
};
use crate::talk::{Pattern, RenderError, Uint};

fn first(frame: &Frame, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    frame.decoder().next(bytes)
}

fn malformed(frame: &Frame, bytes: &[u8]) -> String {
    match first(frame, bytes) {
        Err(error @ FrameError::Malformed { .. }) => error.to_string(),
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn is_too_long(frame: &Frame, bytes: &[u8]) -> bool {
    matches!(first(frame, bytes), Err(FrameError::TooLong { .. }))
}

fn digits(radix: Radix, end: DigitsEnd) -> LenFrame {
    LenFrame::of(LengthCode::Digits(Digits { radix, end }))
}

fn uint(name: &str) -> LenFrame {
    LenFrame::plain(Uint::from_name(name).unwrap())
}

fn with_head(frame: &Frame, head: &[u8], body: &[u8]) -> Result<Vec<u8>, RenderError> {
    let mut message = Vec::new();
    frame.enclose(Some(head), body, [0; 4], &mut message)?;
    Ok(message)
}

#[test]
fn mqtt() {
    let frame = Frame::Len(LenFrame {
        before: vec![0],
        ..LenFrame::of(LengthCode::Varint)
    });
    assert_eq!(with_head(&frame, b"\xc0", b"").unwrap(), b"\xc0\0");
    let long = with_head(&frame, b"\x30", &[b'x'; 321]).unwrap();
    assert_eq!(long[..3], [0x30, 0xc1, 0x02]);
    assert_eq!(first(&frame, &long), Ok(Some(324)));
    assert_eq!(frame.body(&long).len(), 321);
    assert_eq!(frame.cut_points(&long), [2]);
    assert_eq!(first(&frame, b"\x30\xc1"), Ok(None));
    malformed(&frame, &[0xff; 12]);
    assert!(is_too_long(&frame, b"\x30\xff\xff\xff\x7f"));
    assert_eq!(
        with_head(&frame, b"", b""),
        Err(RenderError::Head {
            expected: 1,
            got: 0
        })
    );
    assert_eq!(frame.announcing(321).unwrap(), b"\0\xc1\x02");
}

#[test]
fn ldap() {
    let frame = Frame::Len(LenFrame {
        before: vec![0x30],
        ..LenFrame::of(LengthCode::Ber)
    });
    let unbind = frame.wrap(b"\x02\x01\x03\x42\0");
    assert_eq!(unbind, b"\x30\x05\x02\x01\x03\x42\0");
    assert_eq!(first(&frame, &unbind), Ok(Some(7)));
    // OpenLDAP writes lengths in four bytes.
    assert_eq!(first(&frame, b"\x30\x84\0\0\0\x02ab"), Ok(Some(8)));
    assert_eq!(*frame.body(b"\x30\x84\0\0\0\x02ab"), *b"ab");
    malformed(&frame, b"\x30\x80\0\0");
    assert!(is_too_long(&frame, b"\x30\x84\xff\xff\xff\xff"));
    assert_eq!(frame.only(b"ab"), None);
}

#[test]
fn netstrings() {
    let frame = Frame::Len(LenFrame {
        after: b",".to_vec(),
        ..digits(Radix::Decimal, DigitsEnd::Until(b":".to_vec()))
    });
    assert_eq!(frame.wrap(b"hello"), b"5:hello,");
    assert_eq!(first(&frame, b"5:hello,3:"), Ok(Some(8)));
    assert_eq!(*frame.body(b"5:hello,"), *b"hello");
    assert_eq!(first(&frame, b"0:,"), Ok(Some(3)));
    assert_eq!(first(&frame, b"5:hell"), Ok(None));
    assert_eq!(first(&frame, b"12"), Ok(None));
    assert_eq!(frame.cut_points(b"12:hello world!,"), [1, 2, 15]);
    assert!(malformed(&frame, b"5:hello;").contains("instead of \",\""));
    assert!(malformed(&frame, b"x").contains("does not consist of digits"));
    malformed(&frame, b":");
    assert!(malformed(&frame, &[b'1'; 30]).contains("does not end"));
    assert!(is_too_long(&frame, b"67108864:"));
    assert_eq!(frame.describe(), "decimal until \":\" length");
}

#[test]
fn pkt_lines() {
    let frame = Frame::Len(LenFrame {
        counts: LengthScope::FromField,
        ..digits(Radix::Hex, DigitsEnd::Count(4))
    });
    assert_eq!(frame.wrap(b"a\n"), b"0006a\n");
    assert_eq!(first(&frame, b"0006a\n0000"), Ok(Some(6)));
    // A flush packet, and the other two without a body.
    for special in [b"0000", b"0001", b"0002", b"0004"] {
        assert_eq!(first(&frame, special), Ok(Some(4)));
        assert!(frame.body(special).is_empty());
    }
    assert_eq!(first(&frame, b"00"), Ok(None));
    malformed(&frame, b"00g0");
    let too_long = frame.enclose(None, &vec![0; 65_532], [0; 4], &mut Vec::new());
    assert!(matches!(too_long, Err(RenderError::TooLong { .. })));
}

/// A length that counts itself may need one more digit because of that.
#[test]
fn a_decimal_length_may_count_itself() {
    let frame = Frame::Len(LenFrame {
        counts: LengthScope::FromField,
        ..digits(Radix::Decimal, DigitsEnd::Until(b" ".to_vec()))
    });
    assert_eq!(frame.wrap(b"1234567"), b"9 1234567");
    assert_eq!(frame.wrap(b"12345678"), b"11 12345678");
    for len in 0..300 {
        let message = frame.wrap(&vec![b'x'; len]);
        assert_eq!(first(&frame, &message), Ok(Some(message.len())), "{len}");
        assert_eq!(frame.body(&message).len(), len);
    }
}

#[test]
fn language_servers() {
    let frame = Frame::Header(HeaderFrame {
        name: "Content-Length".to_owned(),
    });
    assert_eq!(frame.wrap(b"{}"), b"Content-Length: 2\r\n\r\n{}");
    let other = b"Content-Type: x\r\ncontent-length:2\r\n\r\n{}next";
    assert_eq!(first(&frame, other), Ok(Some(other.len() - 4)));
    assert_eq!(*frame.body(&other[..other.len() - 4]), *b"{}");
    assert_eq!(first(&frame, b"Content-Length: 2\r\n\r\n{"), Ok(None));
    assert!(malformed(&frame, b"Content-Type: x\r\n\r\n").contains("no Content-Length"));
    malformed(&frame, b"Content-Length: -1\r\n\r\n");
    malformed(&frame, b"Content-Length: \r\n\r\n");
    malformed(&frame, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n");
    assert!(malformed(&frame, &[b'a'; 70_000]).contains("more than"));
    assert!(is_too_long(
        &frame,
        b"Content-Length: 99999999999999999999\r\n\r\n"
    ));
    assert_eq!(
        frame.cut_points(b"Content-Length: 2\r\n\r\n{}"),
        [18, 19, 20]
    );
    assert!(with_head(&frame, b"x", b"").is_err());
}

#[test]
fn amqp() {
    let frame = Frame::Len(LenFrame {
        before: vec![8, 0, 0],
        trailer: 1,
        ..uint("u32be")
    });
    assert_eq!(frame.wrap(b"\xce"), b"\x08\0\0\0\0\0\0\xce");
    let method = with_head(&frame, b"\x01\0\x01", b"ab\xce").unwrap();
    assert_eq!(method, b"\x01\0\x01\0\0\0\x02ab\xce");
    assert_eq!(first(&frame, &method), Ok(Some(method.len())));
    assert_eq!(*frame.body(&method), *b"ab\xce");
    assert_eq!(
        with_head(&frame, b"\x01\0\x01", b""),
        Err(RenderError::Trailer { len: 0, trailer: 1 })
    );
}

#[test]
fn bits_of_a_field() {
    let low = Frame::Len(LenFrame {
        bits: Some(LengthBits {
            mask: 0x7f,
            others: 0x80,
        }),
        ..uint("u8")
    });
    assert_eq!(low.wrap(b"abc"), b"\x83abc");
    assert_eq!(first(&low, b"\x03abc"), Ok(Some(4)));
    assert_eq!(first(&low, b"\xff"), Ok(None));
    let Frame::Len(len) = &low else { panic!() };
    assert!(len.fits(127) && !len.fits(128));
    assert_eq!(len.rewritten(&[0x03], 4), [0x04]);
    let high = Frame::Len(LenFrame {
        bits: Some(LengthBits {
            mask: 0xfff0,
            others: 0x5,
        }),
        ..uint("u16be")
    });
    assert_eq!(high.wrap(b"abc"), b"\0\x35abc");
    assert_eq!(first(&high, b"\0\x3aabcd"), Ok(Some(5)));
}

/// The examples of RFC 6455 5.7.
#[test]
fn websocket() {
    let frame = Frame::WebSocket;
    let mut hello = Vec::new();
    frame
        .enclose(None, b"Hello", [0x37, 0xfa, 0x21, 0x3d], &mut hello)
        .unwrap();
    assert_eq!(hello, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    let fragments = b"\x01\x03Hel\x80\x02lo";
    for message in [&hello[..], b"\x81\x05Hello", b"\x89\x05Hello", fragments] {
        assert_eq!(first(&frame, message), Ok(Some(message.len())));
        assert_eq!(first(&frame, &message[..message.len() - 1]), Ok(None));
        assert_eq!(*frame.body(message), *b"Hello");
    }
    // A ping in the middle of a message.
    let with_ping = b"\x01\x03Hel\x89\x01!\x80\x02lo";
    assert_eq!(first(&frame, with_ping), Ok(Some(with_ping.len())));
    assert_eq!(*frame.body(with_ping), *b"Hello");
    let binary = with_head(&frame, b"\x82", &[b'x'; 256]).unwrap();
    assert_eq!(binary[..4], [0x82, 0xfe, 0x01, 0x00]);
    assert_eq!(
        frame.wrap(&vec![b'x'; 65_536])[..10],
        [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]
    );
    assert_eq!(frame.cut_points(&hello), [1, 2, 3, 4, 5]);
    assert_eq!(frame.announcing(1 << 31).unwrap().len(), 14);
    for (wrong, why) in [
        (&b"\x83\0"[..], "unknown opcode"),
        (b"\x81\x7e\0\x05Hello", "although fewer would do"),
        (b"\x80\x02lo", "a continuation of no message"),
        (b"\x01\x03Hel\x81\x02lo", "before the last one has ended"),
        (b"\x09\0", "control frame"),
        (b"\x89\x7e\0\x7e", "control frame"),
    ] {
        assert!(malformed(&frame, wrong).contains(why), "{why}");
    }
    assert!(is_too_long(&frame, b"\x82\x7f\0\0\0\0\x04\0\0\0"));
}

#[test]
fn one_of_several_delimiters() {
    let delimiters = Delimiters::new(vec![b"\n".to_vec(), b"\r\n".to_vec()]).unwrap();
    let frame = Frame::Until(delimiters);
    assert_eq!(first(&frame, b"a\r\nb\n"), Ok(Some(3)));
    assert_eq!(first(&frame, b"a\nb\r\n"), Ok(Some(2)));
    assert_eq!(*frame.content(b"a\r\n"), *b"a");
    assert!(frame.carries(b"ab", false) && !frame.carries(b"a\nb", false));
    assert!(!frame.carries(b"a\r", false));
    assert_eq!(frame.describe(), "until \"\\n\" or \"\\r\\n\"");
    assert_eq!(frame.cut_points(b"ab\r\n"), [3]);
    assert_eq!(Delimiters::new(Vec::new()), None);
    assert_eq!(Delimiters::new(vec![Vec::new()]), None);
}

#[test]
fn replies_of_several_frames() {
    let postgres = Frame::Len(LenFrame {
        before: vec![0],
        counts: LengthScope::FromField,
        ..uint("u32be")
    });
    let several = Frame::Several(Box::new(Several {
        each: postgres,
        last: Pattern::Start(b"Z".to_vec()),
    }));
    let reply = b"T\0\0\0\x05aD\0\0\0\x06bcZ\0\0\0\x05I";
    assert_eq!(first(&several, reply), Ok(Some(reply.len())));
    assert_eq!(*several.body(reply), *b"abcI");
    assert_eq!(first(&several, &reply[..13]), Ok(None));
    malformed(&several, b"T\0\0\0\x01");
    // Frames without headers stay as they are.
    let lines = Frame::Several(Box::new(Several {
        each: Frame::until(b"\r\n"),
        last: Pattern::regex("^END").unwrap(),
    }));
    assert_eq!(
        first(&lines, b"VALUE k\r\nx\r\nEND\r\nEND\r\n"),
        Ok(Some(17))
    );
    assert_eq!(*lines.body(b"a\r\nEND\r\n"), *b"a\r\nEND\r\n");
    let mut decoder = lines.decoder();
    assert!(matches!(
        decoder.finish(b"a\r\n"),
        Err(FrameError::Truncated { .. })
    ));
    // Endless, but not without limit.
    let large = Frame::Several(Box::new(Several {
        each: Frame::Fixed(1 << 20),
        last: Pattern::Start(b"Z".to_vec()),
    }));
    assert!(is_too_long(&large, &vec![0; 65 << 20]));
}

#[test]
fn values_by_themselves() {
    let http =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
    assert_eq!(*Frame::Http1.content(http), *b"[1,2]");
    let http = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(*Frame::Http1.content(http), *b"{}");
    assert_eq!(*Frame::until(b";").content(b"{};"), *b"{}");
    assert_eq!(*Frame::Lines(1).content(b"{}\n"), *b"{}\n");
}
