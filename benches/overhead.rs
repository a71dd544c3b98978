//! What the harness itself costs: cutting replies out of a stream, judging them, naming requests.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcprove::load::Arrivals;
use tcprove::load::pacer::{Pacer, Segment};
use tcprove::load::recorder::{Period, Recorder};
use tcprove::talk::{
    Bindings, Expect, Expectation, Frame, Judgement, LenFrame, RegexTemplate, Template, Uint, token,
};

/// The bytes of a small and of a large message's body, and of the pieces each comes in.
const SIZES: [(usize, usize); 2] = [(64, 8), (16 << 10, 1448)];

/// Frames with a message of theirs around `body`.
fn messages(body: usize) -> Vec<(&'static str, Frame, Vec<u8>)> {
    let body = vec![b'x'; body];
    let announced = |head: String, tail: &str| [head.as_bytes(), &body, tail.as_bytes()].concat();
    let len = LenFrame::plain(Uint::from_name("u32be").expect("a field there is"));
    let len = Frame::Len(len);
    vec![
        (
            "until",
            Frame::Until(b"\r\n".to_vec()),
            announced(String::new(), "\r\n"),
        ),
        ("len", len.clone(), len.wrap(&body)),
        (
            "resp",
            Frame::Resp,
            announced(format!("${}\r\n", body.len()), "\r\n"),
        ),
        (
            "http1",
            Frame::Http1,
            announced(
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                ),
                "",
            ),
        ),
    ]
}

/// Decodes one message that comes in pieces; the decoder is asked after each, as a session does.
fn decode(frame: &Frame, message: &[u8], piece: usize) -> usize {
    let mut decoder = frame.decoder();
    for end in (piece..message.len()).step_by(piece) {
        let early = decoder.next(black_box(&message[..end]));
        assert!(matches!(early, Ok(None)), "{early:?}");
    }
    decoder
        .next(black_box(message))
        .expect("a message of this frame")
        .expect("all of it is there")
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

/// A request's token and payload.
fn bindings(payload: usize) -> Bindings {
    Bindings {
        tok: token(1, 2),
        payload: vec![b'x'; payload],
        ..Bindings::default()
    }
}

/// The reply `<token> <payload>`, expected as a text and as a pattern.
fn expectations(bindings: &Bindings) -> [(&'static str, Expectation); 2] {
    let text = Template::parse("{tok} {payload}\n").expect("a template");
    let regex = RegexTemplate::parse("^{tok} x+\n$").expect("a pattern");
    [
        ("exact", Expect::Exact(text)),
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
    let request = Template::parse("{tok} {payload}\n").expect("a template");
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

/// What a load adds to each operation beside system calls: two times into histograms, and, in an open
/// loop, the moment at which the next request is due.
fn recording_and_pacing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    let period = Period {
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
            format!("the next moment, {arrivals:?}").to_lowercase(),
            |bencher| {
                bencher.iter(|| black_box(pacer.next()));
            },
        );
    }
    group.finish();
}

/// Short samples: the whole takes well under a minute.
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
