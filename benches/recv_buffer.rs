//! What the receive buffer costs: 16 KiB messages echoed by a live reference server whose `recv`
//! asks for 64 bytes, 1 KiB (the tutorial's) or 64 KiB at a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcprove_server::{Config, Model, Protocol, Shutdown, bind, run};

const MESSAGE_BYTES: usize = 16 * 1024;
const RECEIVE_BUFFERS: [usize; 4] = [64, 1024, 16 * 1024, 64 * 1024];

/// Echoes `count` messages one after the other and says how long that took.
fn echo(stream: &mut TcpStream, count: u64) -> std::io::Result<Duration> {
    let (message, mut reply) = (vec![b'x'; MESSAGE_BYTES], vec![0; MESSAGE_BYTES]);
    let begun = Instant::now();
    for _ in 0..count {
        stream.write_all(&message)?;
        stream.read_exact(&mut reply)?;
    }
    Ok(begun.elapsed())
}

fn receive_buffer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("echo 16 KiB by receive buffer");
    group.throughput(Throughput::Bytes(MESSAGE_BYTES as u64));
    for recv_buffer in RECEIVE_BUFFERS {
        let config = Config {
            port: 0,
            recv_buffer,
            protocol: Protocol::Echo,
            model: Model::TokioCurrent,
            ..Config::default()
        };
        let listener = bind(&config).expect("a port on loopback");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let shutdown = Shutdown::new().expect("an eventfd");
        let server = std::thread::spawn({
            let shutdown = shutdown.clone();
            move || run(listener, config, shutdown)
        });
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a connected socket");
        group.bench_function(BenchmarkId::from_parameter(recv_buffer), |bencher| {
            bencher.iter_custom(|count| echo(&mut stream, count).expect("the server echoes"));
        });
        drop(stream);
        shutdown.trigger();
        server
            .join()
            .expect("the server does not panic")
            .expect("the server ends in order");
    }
    group.finish();
}

criterion_group!(benches, receive_buffer);
criterion_main!(benches);
