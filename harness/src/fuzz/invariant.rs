//! Invariants that hold for any bytes: the bodies of the fuzz targets in `fuzz/`, whose corpora `cargo test` replays.

use std::mem::{Discriminant, discriminant};
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use tcprove_server::service::{Flow, Service};
use tcprove_server::{Config, Protocol, carry};

use super::case::{BYTES_MAX, CONNECTIONS_MAX, STEPS_MAX};
use super::memory::{StreamEnd, drive};
use super::{Case, CaseFile, Step};
use crate::talk::frame::LengthScope;
use crate::talk::frame::{Digits, DigitsEnd, Radix};
use crate::talk::{
    Delimiters, Frame, FrameError, HeaderFrame, LenFrame, LengthCode, Pattern, Several, Uint,
};

/// Timeouts that never expire during a test.
const LONG: Duration = Duration::from_secs(86_400);

/// One server per protocol, with limits so low that short inputs exceed them.
static SERVERS: LazyLock<Vec<Config>> = LazyLock::new(|| {
    let server = |protocol: &Protocol| Config {
        protocol: *protocol,
        recv_buffer: 16,
        max_message: 64,
        write_bound: 256,
        idle_timeout: LONG,
        linger: LONG,
        ..Config::default()
    };
    Protocol::all().iter().map(server).collect()
});

/// Decodes `data` as a protocol (first byte) and a case. Asserts that a session over in-memory streams ends, and sends the
/// same replies as the protocol without any stream.
///
/// # Panics
/// If the invariant is violated: that is the finding.
pub fn sessions(data: &[u8]) {
    let [selector, raw @ ..] = data else {
        return;
    };
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(raw)) else {
        return;
    };
    answers_as_alone(&SERVERS[usize::from(*selector) % SERVERS.len()], &case);
}

fn answers_as_alone(config: &Config, case: &Case) {
    let answers = drive(|stream| carry(stream, config), case);
    let expected = Expected::of(config, case);
    assert_eq!(answers.len(), expected.len());
    for (number, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        let protocol = config.protocol;
        let length = answer.bytes.len();
        assert!(
            answer.length == expected.replies.len() as u64
                && answer.bytes[..] == expected.replies[..length],
            "{protocol}, connection {number}: {:?} instead of {:?}",
            String::from_utf8_lossy(&answer.bytes),
            String::from_utf8_lossy(&expected.replies)
        );
        assert_eq!(
            answer.end,
            StreamEnd::Closed,
            "{protocol}, connection {number}"
        );
    }
}

/// One connection, served by the protocol alone.
struct Expected {
    service: Box<dyn Service>,
    replies: Vec<u8>,
    /// The connection is still open.
    goes_on: bool,
}

impl Expected {
    fn of(config: &Config, case: &Case) -> Vec<Self> {
        let new = || Self {
            service: config.protocol.service(config.max_message),
            replies: Vec::new(),
            goes_on: true,
        };
        let (mut all, mut current) = (vec![new()], 0);
        for step in &case.steps {
            match step {
                Step::Send(send) => {
                    let bytes = send.data.to_bytes();
                    for piece in send.pieces(&bytes) {
                        all[current].read(piece, config.recv_buffer);
                    }
                }
                Step::Connect => {
                    current = all.len();
                    all.push(new());
                }
                Step::Switch(to) => current = usize::from(*to),
                Step::HalfClose => all[current].finish(),
                Step::Reset | Step::Close => all[current].goes_on = false,
                Step::Receive | Step::DelayMs(_) | Step::Login(_) | Step::Inject(_) => {}
            }
        }
        all.iter_mut().for_each(Self::finish);
        all
    }

    fn read(&mut self, piece: &[u8], recv_buffer: usize) {
        for read in piece.chunks(recv_buffer) {
            if self.goes_on {
                self.goes_on = self.service.on_bytes(read, &mut self.replies) == Flow::Continue;
            }
        }
    }

    fn finish(&mut self) {
        if self.goes_on {
            self.service.on_eof(&mut self.replies);
            self.goes_on = false;
        }
    }
}

/// Decodes `data` as a frame (first byte), cut points (a count, then one byte each) and a stream. Asserts that messages end
/// at the same offsets however the stream is cut, and within the bytes that have arrived.
///
/// # Panics
/// If the invariant is violated: that is the finding.
pub fn frames(data: &[u8]) {
    let [selector, count, rest @ ..] = data else {
        return;
    };
    let frame = &FRAMES[usize::from(*selector) % FRAMES.len()];
    let cuts = usize::from(*count) % 8;
    if rest.len() < cuts {
        return;
    }
    let (cuts, stream) = rest.split_at(cuts);
    let mut points: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut)).collect();
    points.sort_unstable();
    let whole = messages(frame, stream, &[]);
    assert_eq!(messages(frame, stream, &points), whole, "{frame:?} cut");
    let bytewise: Vec<usize> = (1..stream.len().min(BYTEWISE_MAX)).collect();
    assert_eq!(
        messages(frame, stream, &bytewise),
        whole,
        "{frame:?} bytewise"
    );
}

/// Maximum bytes of a stream that are cut into single bytes.
const BYTEWISE_MAX: usize = 512;

/// The lengths of the messages, and the error at the end of the stream, if any.
type Messages = (Vec<usize>, Option<Discriminant<FrameError>>);

fn messages(frame: &Frame, stream: &[u8], cuts: &[usize]) -> Messages {
    let mut decoder = frame.decoder();
    let (mut begin, mut lengths) = (0, Vec::new());
    for arrived in cuts.iter().chain([&stream.len()]) {
        let arrived = &stream[..(*arrived).min(stream.len())];
        loop {
            match decoder.next(&arrived[begin..]) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    let there = arrived.len() - begin;
                    assert!(
                        (1..=there).contains(&length),
                        "{frame:?}: a message of {length} bytes in {there}"
                    );
                    lengths.push(length);
                    begin += length;
                    decoder.reset();
                }
                Err(error) => return (lengths, Some(discriminant(&error))),
            }
        }
    }
    match decoder.finish(&stream[begin..]) {
        Ok(last) => lengths.extend(last),
        Err(error) => return (lengths, Some(discriminant(&error))),
    }
    (lengths, None)
}

/// All kinds of frames, with delimiters and lengths of one and several bytes.
static FRAMES: LazyLock<Vec<Frame>> = LazyLock::new(|| {
    let last_line = Pattern::regex(r"^\d{3} ").ok().map(Frame::LastLine);
    let lengths = [
        ("u8", LengthScope::Body),
        ("u16le", LengthScope::Whole),
        ("u32be", LengthScope::FromField),
        ("u32be", LengthScope::Body),
    ];
    let lengths = lengths.into_iter().filter_map(|(name, counts)| {
        let plain = LenFrame::plain(Uint::from_name(name)?);
        Some(Frame::Len(LenFrame { counts, ..plain }))
    });
    let more = [
        LengthCode::Varint,
        LengthCode::Ber,
        LengthCode::Digits(Digits {
            radix: Radix::Decimal,
            end: DigitsEnd::Until(b":".to_vec()),
        }),
        LengthCode::Digits(Digits {
            radix: Radix::Hex,
            end: DigitsEnd::Count(4),
        }),
    ];
    let more = more.map(|code| {
        Frame::Len(LenFrame {
            before: b"0".to_vec(),
            after: b",".to_vec(),
            ..LenFrame::of(code)
        })
    });
    let either = Delimiters::new(vec![b"\n".to_vec(), b"\r\r".to_vec()]);
    let mut frames = vec![
        Frame::until(b"\n"),
        Frame::until(b"\r\n\r\n"),
        Frame::until(b"aab"),
        Frame::Lines(1),
        Frame::Lines(3),
        Frame::Fixed(5),
        Frame::Resp,
        Frame::Http1,
        Frame::Eof,
        Frame::None,
    ];
    frames.extend(lengths);
    frames.extend(more);
    frames.extend(either.map(Frame::Until));
    frames.push(Frame::WebSocket);
    frames.push(Frame::Header(HeaderFrame {
        name: "Content-Length".to_owned(),
    }));
    frames.push(Frame::Several(Box::new(Several {
        each: Frame::Lines(1),
        last: Pattern::Start(b".".to_vec()),
    })));
    frames.extend(last_line);
    frames
});

/// Decodes `data` as a case. Asserts that it keeps the limits and survives a round trip through JSON.
///
/// # Panics
/// If the invariant is violated: that is the finding.
pub fn cases(data: &[u8]) {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) else {
        return;
    };
    assert!(case.steps.len() <= STEPS_MAX, "{} steps", case.steps.len());
    assert!(case.bytes() <= BYTES_MAX, "{} bytes", case.bytes());
    let connects = case.steps.iter().filter(|step| **step == Step::Connect);
    assert!(connects.count() < CONNECTIONS_MAX, "{case:?}");
    let mut limited = case.clone();
    limited.limit();
    assert_eq!(limited, case, "limited once more");
    let text = CaseFile::of(vec![case.clone()]).text();
    match CaseFile::parse(&text) {
        Ok(file) => assert_eq!(file.cases, [case], "{text}"),
        Err(error) => panic!("{error}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::fuzz::SendStep;

    /// An invariant that cannot fail proves nothing.
    #[test]
    fn planted_faults_break_the_sessions() {
        let line = |text: &[u8]| {
            let send = SendStep {
                data: text.into(),
                cuts: vec![2],
            };
            Case::new(vec![Step::Send(send)])
        };
        let long = [vec![b'a'; 40], b"\n".to_vec()].concat();
        for (fault, case) in [
            ("lossy-decode", line(b"a\xff\n")),
            ("nul-cut", line(b"a\0b\n")),
            ("full-buffer-byte-lost", line(&long)),
            ("drop-rest", line(b"aaaa\nb\n")),
            ("decode-per-recv", line("a问\n".as_bytes())),
        ] {
            let sound = &SERVERS[2];
            assert_eq!(sound.protocol, Protocol::Line);
            let faulty = Config {
                fault: tcprove_server::fault::find(fault),
                ..sound.clone()
            };
            answers_as_alone(sound, &case);
            let broken = catch_unwind(|| answers_as_alone(&faulty, &case));
            assert!(broken.is_err(), "{fault}");
        }
    }
}
