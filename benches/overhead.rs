//! The cost of the harness itself: decoding replies, judging them, rendering requests, and recording
//! and pacing a load.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcprove::load::Arrivals;
use tcprove::load::pacer::{Pacer, Segment};
use tcprove::load::recorder::{MeasuredPeriod, Recorder};
use tcprove::talk::{
    Bindings, Expect, Expectation, Frame, Judgement, LenFrame, RegexTemplate, Template, Uint, token,
};

/// Bytes of a small and a large message body, and of the pieces in which each arrives.
const SIZES: [(usize, usize); 2] = [(64, 8), (16 << 10, 1448)];

/// Each frame with a message of `body` bytes.
fn messages(body: usize) -> Vec<(&'static str, Frame, Vec<u8>)> {
    let body = vec![b'x'; body];
    let between = |head: String, tail: &str| [head.as_bytes(), &body, tail.as_bytes()].concat();
    let len = LenFrame::plain(Uint::from_name("u32be").expect("u32be is a field type"));
    let len = Frame::Len(len);
    vec![
        (
            "until",
            Frame::until(b"\r\n"),
            between(String::new(), "\r\n"),
        ),
        ("len", len.clone(), len.wrap(&body)),
        (
            "resp",
            Frame::Resp,
            between(format!("${}\r\n", body.len()), "\r\n"),
        ),
        (
            "http1",
            Frame::Http1,
            between(
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                ),
                "",
            ),
        ),
    ]
}

/// Decodes one message that arrives in pieces, and polls the decoder after each piece, like a session.
fn decode(frame: &Frame, message: &[u8], piece: usize) -> usize {
    let mut decoder = frame.decoder();
    for end in (piece..message.len()).step_by(piece) {
        let early = decoder.next(black_box(&message[..end]));
        assert!(matches!(early, Ok(None)), "{early:?}");
    }
    decoder
        .next(black_box(message))
        .expect("the message is valid")
        .expect("the message is complete")
}

fn decoding(criterion: &mut Criterion) {
    for (body, piece) in SIZES {
        let mut group = criterion.benchmark_group(format!("decode a message of {body} B"));
        for (name, frame, message) in messages(body) {
            group.throughput(Throughput::Bytes(message.len() as u64));
            for (how, piece) in [("whole".to_owned(), message.len()), (by(piece), piece)] {
                assert_eq!(decode(&frame, &message, piece), message.len());
                group.bench_function(BenchmarkId::new(name, how), |bencher| {
                    bencher.iter(|| decode(&frame, &message, piece));
                });
            }
        }
        group.finish();
    }
}

fn by(piece: usize) -> String {
    format!("{piece} B pieces")
}

/// The token and payload of a request.
fn bindings(payload: usize) -> Bindings {
    Bindings {
        tok: token(1, 2),
        payload: vec![b'x'; payload],
        ..Bindings::default()
    }
}

/// Expectations of the reply `<token> <payload>`: an exact text and a regular expression.
fn expectations(bindings: &Bindings) -> [(&'static str, Expectation); 2] {
    let text = Template::parse("{tok} {payload}\n").expect("the template is valid");
    let regex = RegexTemplate::parse("^{tok} x+\n$").expect("the pattern is valid");
    [
        ("exact", Expect::text(text)),
        ("regex", Expect::Regex(Arc::new(regex))),
    ]
    .map(|(name, expect)| (name, expect.render(bindings).expect("all names are bound")))
}

fn judging(criterion: &mut Criterion) {
    for (payload, _) in SIZES {
        let mut group = criterion.benchmark_group(format!("judge a reply of {payload} B"));
        let bindings = bindings(payload);
        let reply = [bindings.tok.as_bytes(), b" ", &bindings.payload, b"\n"].concat();
        group.throughput(Throughput::Bytes(reply.len() as u64));
        for (name, expectation) in expectations(&bindings) {
            let judgement = expectation.judge_message(&reply);
            assert!(matches!(judgement, Judgement::Match(_)), "{judgement:?}");
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| expectation.judge_message(black_box(&reply)));
            });
        }
        group.finish();
    }
}

fn rendering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    group.bench_function("a token", |bencher| {
        let mut count = 0;
        bencher.iter(|| {
            count += 1;
            token(black_box(1), count)
        });
    });
    let request = Template::parse("{tok} {payload}\n").expect("the template is valid");
    for (payload, _) in SIZES {
        let bindings = bindings(payload);
        let mut wire = Vec::new();
        let name = BenchmarkId::new("a request", format!("{payload} B"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                wire.clear();
                let rendered = request.render(black_box(&bindings), &mut wire);
                rendered.expect("all names are bound");
                wire.len()
            });
        });
    }
    group.finish();
}

/// What a load does per operation besides system calls: it records two times in histograms and, in an
/// open loop, computes the time of the next request.
fn recording_and_pacing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    let period = MeasuredPeriod {
        from: 0,
        to: 1_000_000_000,
    };
    let mut recorder = Recorder::new(period, 20);
    let mut now = 0_u64;
    group.bench_function("record a reply", |bencher| {
        bencher.iter(|| {
            now = (now + 7_919) % period.to;
            recorder.reply(black_box(now), now + 1_000, now + 50_000 + now % 4_096);
        });
    });
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let segment = Segment {
            seconds: 1e9,
            from: 1e3,
            to: 2e3,
        };
        let mut pacer = Pacer::new(vec![segment], arrivals, 0, 1, 1);
        group.bench_function(
            format!("the next arrival, {arrivals:?}").to_lowercase(),
            |bencher| {
                bencher.iter(|| black_box(pacer.next()));
            },
        );
    }
    group.finish();
}

/// Short samples: the whole bench takes well under a minute.
fn quick() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = decoding, judging, rendering, recording_and_pacing
}
criterion_main!(benches);
