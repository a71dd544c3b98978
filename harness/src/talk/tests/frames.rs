//! Each frame: where messages end, which bytes are refused, where requests are cut.

use crate::talk::frame::{Decoder, Frame, FrameError, LenFrame, LengthScope};
use crate::talk::{Pattern, Uint};

fn last_line() -> Frame {
    Frame::LastLine(Pattern::regex(r"^\d{3} ").unwrap())
}

fn u32be() -> LenFrame {
    LenFrame::plain(Uint::from_name("u32be").unwrap())
}

fn first(frame: &Frame, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    frame.decoder().next(bytes)
}

fn malformed(frame: &Frame, bytes: &[u8]) -> String {
    match first(frame, bytes) {
        Err(error @ FrameError::Malformed { .. }) => error.to_string(),
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn delimiters_and_lines() {
    let crlf = Frame::until(b"\r\n");
    assert_eq!(first(&crlf, b"a\rb\r\nc"), Ok(Some(5)));
    assert_eq!(first(&crlf, b"a\r"), Ok(None));
    assert_eq!(first(&Frame::Lines(2), b"a\nb\nc\n"), Ok(Some(4)));
    assert_eq!(
        first(&last_line(), b"250-a\r\n250 b\r\n250 c\r\n"),
        Ok(Some(14))
    );
    assert_eq!(first(&Frame::Fixed(3), b"ab"), Ok(None));
    assert_eq!(first(&Frame::Fixed(3), b"abcd"), Ok(Some(3)));
    assert_eq!(first(&Frame::None, b"abcd"), Ok(None));
}

#[test]
fn asking_again_gives_the_same_answer() {
    for (frame, bytes) in [
        (Frame::until(b"\n"), &b"a\nb"[..]),
        (Frame::Lines(2), b"a\nb\nc"),
        (last_line(), b"250 b\nc"),
        (Frame::Resp, b"*2\r\n:1\r\n:2\r\nx"),
        (
            Frame::Http1,
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
        ),
    ] {
        let mut decoder = frame.decoder();
        let once = decoder.next(bytes);
        assert!(matches!(once, Ok(Some(_))), "{frame:?}");
        assert_eq!(decoder.next(bytes), once, "{frame:?}");
    }
}

/// A decoder that examined old bytes again would find the end that is inserted there.
#[test]
fn nothing_is_looked_at_twice() {
    let cases: [(Frame, &[u8], &[u8]); 5] = [
        (Frame::until(b"\n"), b"aaaa", b"\na\naab"),
        (Frame::Lines(1), b"aaaa", b"\na\naab"),
        (last_line(), b"250 aaaa", b"250 \n\n\naab"),
        (Frame::Resp, b"+aaaaaa", b"+a\r\n\r\naab"),
        (Frame::Http1, b"GET / HTTP/1.1", b"GET\n\nHTTP/1.1\nb"),
    ];
    for (frame, before, after) in cases {
        let mut decoder = frame.decoder();
        assert_eq!(decoder.next(before), Ok(None));
        let same_length: Vec<u8> = [&after[..before.len().min(after.len())], b"bb"].concat();
        assert_eq!(decoder.next(&same_length), Ok(None), "{frame:?}");
    }
}

#[test]
fn lengths() {
    let plain = Frame::Len(u32be());
    assert_eq!(plain.wrap(b"abc"), b"\0\0\0\x03abc");
    assert_eq!(first(&plain, b"\0\0\0\x03ab"), Ok(None));
    assert_eq!(first(&plain, b"\0\0\0\x03abcd"), Ok(Some(7)));
    assert_eq!(first(&plain, b"\0\0\0\0"), Ok(Some(4)));
    assert_eq!(
        first(&plain, b"\xff\xff\xff\xff"),
        Err(FrameError::TooLong {
            declared: 0x1_0000_0003
        })
    );
    let mysql = LenFrame {
        between: vec![0],
        ..LenFrame::plain(Uint::from_name("u24le").unwrap())
    };
    assert_eq!(Frame::Len(mysql).wrap(b"ab"), b"\x02\0\0\0ab");
    let postgres = LenFrame {
        before: b"Q".to_vec(),
        counts: LengthScope::FromField,
        ..u32be()
    };
    let postgres = Frame::Len(postgres);
    assert_eq!(postgres.wrap(b"ab"), b"Q\0\0\0\x06ab");
    assert_eq!(*postgres.body(b"Q\0\0\0\x06ab"), *b"ab");
    assert_eq!(first(&postgres, b"Z\0\0\0\x05I!"), Ok(Some(6)));
    assert!(malformed(&postgres, b"Z\0\0\0\x03").contains("shorter than its own header"));
    let whole = Frame::Len(LenFrame {
        counts: LengthScope::Whole,
        ..u32be()
    });
    assert_eq!(whole.wrap(b"ab"), b"\0\0\0\x06ab");
    let byte = LenFrame::plain(Uint::from_name("u8").unwrap());
    assert!(byte.fits(255) && !byte.fits(256));
}

#[test]
fn resp_values() {
    for value in [
        &b"+OK\r\n"[..],
        b"-ERR a\r\n",
        b":12\r\n",
        b"$3\r\na\r\n\r\n",
        b"$0\r\n\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        b"%1\r\n+k\r\n*0\r\n",
        b"~1\r\n#t\r\n",
        b">2\r\n+message\r\n_\r\n",
        b"|1\r\n+ttl\r\n:1\r\n*1\r\n,1.5\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"!3\r\nERR\r\n",
        b"(123456789012345678901234567890\r\n",
        b"PING\r\n",
        b"GET key\n",
    ] {
        let stream = [value, b"+next\r\n"].concat();
        let shown = String::from_utf8_lossy(value);
        assert_eq!(
            first(&Frame::Resp, &stream),
            Ok(Some(value.len())),
            "{shown}"
        );
        assert_eq!(
            first(&Frame::Resp, &value[..value.len() - 1]),
            Ok(None),
            "{shown}"
        );
    }
}

#[test]
fn resp_refusals() {
    let resp = Frame::Resp;
    malformed(&resp, b"\x01");
    malformed(&resp, b"*1\r\nPING\r\n");
    malformed(&resp, b"$x\r\n");
    malformed(&resp, b"$-2\r\n");
    malformed(&resp, b"$+2\r\n");
    malformed(&resp, b"$2\r\nabc\r\n");
    malformed(&resp, b"+OK\n");
    assert!(malformed(&resp, &[b'$'; 40]).contains("does not end"));
    assert!(malformed(&resp, &b"*1\r\n".repeat(65)).contains("deeper"));
    assert_eq!(first(&resp, &b"*1\r\n".repeat(64)), Ok(None));
    assert_eq!(first(&resp, b"*9223372036854775807\r\n"), Ok(None));
    assert!(matches!(
        first(&resp, b"$9223372036854775807\r\n"),
        Err(FrameError::TooLong { .. })
    ));
}

#[test]
fn http_bodies() {
    let http = Frame::Http1;
    let len = |bytes: &[u8]| first(&http, bytes);
    assert_eq!(len(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), Ok(Some(27)));
    assert_eq!(
        len(b"POST / HTTP/1.1\r\ncontent-LENGTH:  3 \r\n\r\nabcd"),
        Ok(Some(43))
    );
    assert_eq!(len(b"HTTP/1.1 204 No Content\r\n\r\nrest"), Ok(Some(27)));
    assert_eq!(
        len(b"HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n"),
        Ok(Some(35))
    );
    assert_eq!(
        len(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
        Ok(Some(25))
    );
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    let body = b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    let chunked = [&head[..], body, b"HTTP"].concat();
    assert_eq!(len(&chunked), Ok(Some(chunked.len() - 4)));
    let until_eof = b"HTTP/1.0 200 OK\r\n\r\nabc";
    let mut decoder = http.decoder();
    assert_eq!(decoder.next(until_eof), Ok(None));
    assert_eq!(decoder.finish(until_eof), Ok(Some(until_eof.len())));
}

#[test]
fn http_refusals() {
    let http = Frame::Http1;
    malformed(&http, b"SSH-2.0-x\r\n");
    malformed(&http, b"HTTP/1.1 2000 x\r\n");
    malformed(&http, b"HTTP/1.1 abc\r\n");
    malformed(&http, b"HTTP/1.1 200 OK\r\nno colon\r\n");
    malformed(&http, b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n");
    malformed(
        &http,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    );
    malformed(
        &http,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    );
    malformed(
        &http,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    );
    malformed(&http, &[b'a'; 70_000]);
    for huge in ["99999999999999999999999", "67108865"] {
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n");
        assert!(matches!(
            first(&http, reply.as_bytes()),
            Err(FrameError::TooLong { .. })
        ));
    }
}

#[test]
fn ends_of_streams() {
    let finish = |frame: &Frame, bytes: &[u8]| Decoder::finish(&mut frame.decoder(), bytes);
    assert_eq!(finish(&Frame::Eof, b"abc"), Ok(Some(3)));
    assert_eq!(finish(&Frame::Lines(1), b""), Ok(None));
    assert_eq!(finish(&Frame::Lines(1), b"a\nb"), Ok(Some(2)));
    assert_eq!(
        finish(&Frame::Lines(1), b"ab"),
        Err(FrameError::Truncated { received: 2 })
    );
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    assert!(matches!(
        finish(&Frame::Http1, reply),
        Err(FrameError::Truncated { .. })
    ));
}

#[test]
fn cuts() {
    let cuts = |frame: &Frame, request: &[u8]| frame.cut_points(request);
    assert_eq!(cuts(&Frame::until(b"\r\n"), b"ab\r\ncd\r\n"), [3, 7]);
    assert_eq!(cuts(&Frame::until(b"\n"), b"ab\n"), [2]);
    assert_eq!(cuts(&Frame::until(b"\n"), b"\n"), [0; 0]);
    assert_eq!(cuts(&Frame::Len(u32be()), b"\0\0\0\x01a"), [1, 2, 3]);
    assert_eq!(
        cuts(
            &Frame::Len(LenFrame::plain(Uint::from_name("u8").unwrap())),
            b"\x01a"
        ),
        [1]
    );
    assert_eq!(
        cuts(&Frame::Resp, b"*1\r\n$4\r\nPING\r\n"),
        [1, 2, 3, 5, 6, 7, 13]
    );
    assert_eq!(
        cuts(&Frame::Http1, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        [15, 24, 25, 26]
    );
    assert_eq!(cuts(&last_line(), b"a\r\n"), [2]);
    assert_eq!(cuts(&Frame::None, b"abc"), [0; 0]);
}

#[test]
fn payloads_that_fit() {
    let crlf = Frame::until(b"\r\n");
    assert!(crlf.carries(b"a\rb\nc", false));
    assert!(!crlf.carries(b"a\r\nb", true));
    assert!(!Frame::until(b"aa").carries(b"ba", false));
    assert!(!Frame::until(b"\n").carries(b"a\r", false));
    assert!(Frame::Resp.carries(b"\r\n", true));
    assert!(!Frame::Resp.carries(b"\r\n", false));
    assert!(!Frame::Lines(2).carries(b"\n", true));
    assert!(Frame::Len(u32be()).carries(b"\r\n\0\xff", false));
    assert!(Frame::Http1.carries(b"\r\n\r\n", true));
    assert!(!Frame::Http1.carries(b"a b", false));
}

#[test]
fn descriptions() {
    assert_eq!(Frame::until(b"\r\n").describe(), "until \"\\r\\n\"");
    assert_eq!(
        last_line().describe(),
        r"up to a line that matches /^\d{3} /"
    );
    assert_eq!(
        Frame::Len(u32be()).describe(),
        "u32be length at 0 of a header of 4"
    );
}

#[test]
fn whole_messages_are_counted() {
    let frame = Frame::until(b"\n");
    assert_eq!(frame.whole_messages(b"a\nb\nc"), (2, &b"c"[..]));
    let requests = b"GET / HTTP/1.1\r\n\r\n".repeat(3);
    assert_eq!(Frame::Http1.whole_messages(&requests), (3, &b""[..]));
    assert_eq!(Frame::Http1.whole_messages(b"nonsense").0, 0);
}
