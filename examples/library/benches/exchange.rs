//! How long one exchange takes on one connection. `cargo bench -p tcprove-example`

use criterion::{Criterion, criterion_group, criterion_main};
use tcprove::Prove;

fn exchange(criterion: &mut Criterion) {
    let server = Prove::cmd([env!("CARGO_BIN_EXE_answer"), "{port}"])
        .conversation(
            r#"
            [talk]
            frame = { until = "\n" }
            [[talk.turn]]
            send = "{tok}\n"
            expect = "ok, {tok}\n"
            "#,
        )
        .start()
        .expect("the server starts");
    let mut client = server.client();
    criterion.bench_function("exchange", |bencher| {
        bencher.iter_custom(|count| client.time_exchanges(count).expect("every reply is right"));
    });
}

criterion_group!(benches, exchange);
criterion_main!(benches);
