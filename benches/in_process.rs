//! Cases per second with a service in the same process: through `drive`, which polls the stream without
//! a runtime, and through Tokio's duplex stream on a single-threaded runtime. A service that does
//! nothing is the upper bound.
//!
//! The case is one connection with three lines in five reads. The service is the reference server's
//! session with the line protocol.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tcprove::fuzz::memory::drive;
use tcprove::fuzz::{Case, SendStep, Step};
use tcprove_server::{Config, carry};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime;
use tokio::task::yield_now;

/// Buffer size of the duplex stream, the same as that of `drive`.
const DUPLEX_BYTES: usize = 16 << 10;

const REPLY: &[u8] = "hello\n问题\nERR not valid UTF-8\n".as_bytes();

fn case() -> Case {
    let text = SendStep {
        data: "hello\n问题\n".as_bytes().into(),
        cuts: vec![2, 7],
    };
    let invalid = SendStep {
        data: b"a\xff\n"[..].into(),
        cuts: vec![1],
    };
    Case::new(vec![
        Step::Send(text),
        Step::Receive,
        Step::Send(invalid),
        Step::HalfClose,
    ])
}

/// Performs the steps of the case with an ordinary asynchronous client.
async fn over_duplex(config: &Config, case: &Case) -> Vec<u8> {
    let (mut client, server) = duplex(DUPLEX_BYTES);
    let serve = carry(server, config);
    let talk = async {
        for send in case.sends() {
            let bytes = send.data.to_bytes();
            for piece in send.pieces(&bytes) {
                client.write_all(piece).await?;
                // Let the server run, so that it reads each piece separately.
                yield_now().await;
            }
        }
        client.shutdown().await?;
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).await?;
        std::io::Result::Ok(reply)
    };
    let ((), reply) = tokio::join!(serve, talk);
    reply.expect("an in-memory stream does not fail")
}

fn cases_per_second(criterion: &mut Criterion) {
    let (case, config) = (case(), Config::default());
    let mut group = criterion.benchmark_group("one case in the process");
    group.throughput(Throughput::Elements(1));
    group.bench_function("does nothing", |bencher| {
        bencher.iter(|| drive(|stream| async { drop(stream) }, black_box(&case)));
    });
    group.bench_function("line session, drive", |bencher| {
        let service = |stream| carry(stream, &config);
        assert_eq!(drive(service, &case)[0].bytes, REPLY);
        bencher.iter(|| drive(service, black_box(&case)));
    });
    let runtime = runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    group.bench_function("line session, duplex, one runtime", |bencher| {
        assert_eq!(runtime.block_on(over_duplex(&config, &case)), REPLY);
        bencher.iter(|| runtime.block_on(over_duplex(&config, black_box(&case))));
    });
    group.bench_function("line session, duplex, one runtime per case", |bencher| {
        bencher.iter(|| {
            let runtime = runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(over_duplex(&config, black_box(&case)))
        });
    });
    group.finish();
}

/// Few samples: the results differ by factors.
fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = cases_per_second
}
criterion_main!(benches);
