//! What the receive buffer costs: messages echoed by a live reference server whose `recv` asks for
//! 64 bytes, 1 KiB (the tutorial's) ... 256 KiB at a time.
//!
//! Latency is one message there and back before the next one leaves; throughput is as many under
//! way as the sockets hold.

use std::io::{Read, Result, Write};
use std::net::{Shutdown as Half, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcprove_server::{Config, Model, Protocol, ServerError, Shutdown, bind, run};

const PAYLOADS: [usize; 3] = [1 << 10, 16 << 10, 256 << 10];
const RECEIVE_BUFFERS: [usize; 7] = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10];

/// A bench that hangs helps nobody.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The reference server in a thread of this process.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    thread: JoinHandle<std::result::Result<(), ServerError>>,
}

impl Server {
    fn start(recv_buffer: usize) -> Self {
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
        let thread = std::thread::spawn({
            let shutdown = shutdown.clone();
            move || run(listener, config, shutdown)
        });
        Self {
            address,
            shutdown,
            thread,
        }
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        Ok(stream)
    }

    fn stop(self) {
        self.shutdown.trigger();
        self.thread
            .join()
            .expect("the server does not panic")
            .expect("the server ends in order");
    }
}

/// Echoes `count` messages one after the other and says how long that took.
fn one_by_one(stream: &mut TcpStream, payload: usize, count: u64) -> Result<Duration> {
    let (message, mut reply) = (vec![b'x'; payload], vec![0; payload]);
    let begun = Instant::now();
    for _ in 0..count {
        stream.write_all(&message)?;
        stream.read_exact(&mut reply)?;
    }
    Ok(begun.elapsed())
}

/// Sends `count` messages without waiting, while another thread reads, and says how long it took
/// until all were back.
fn streamed(stream: &mut TcpStream, payload: usize, count: u64) -> Result<Duration> {
    let (message, mut reply) = (vec![b'x'; payload], vec![0; payload]);
    let mut writer = stream.try_clone()?;
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let writing = scope.spawn(move || -> Result<()> {
            for _ in 0..count {
                writer.write_all(&message)?;
            }
            Ok(())
        });
        for _ in 0..count {
            stream.read_exact(&mut reply)?;
        }
        let elapsed = begun.elapsed();
        writing.join().expect("the writer does not panic")?;
        Ok(elapsed)
    })
}

/// One way of holding the conversation.
type Way = fn(&mut TcpStream, usize, u64) -> Result<Duration>;

fn receive_buffer(criterion: &mut Criterion) {
    let ways: [(&str, Way); 2] = [("latency", one_by_one), ("throughput", streamed)];
    for payload in PAYLOADS {
        for (name, way) in ways {
            let title = format!("echo {} KiB, {name} by receive buffer", payload >> 10);
            let mut group = criterion.benchmark_group(title);
            group.throughput(Throughput::Bytes(payload as u64));
            for recv_buffer in RECEIVE_BUFFERS {
                let server = Server::start(recv_buffer);
                let mut stream = server.connect().expect("the server listens");
                group.bench_function(BenchmarkId::from_parameter(recv_buffer), |bencher| {
                    bencher.iter_custom(|count| {
                        way(&mut stream, payload, count).expect("the server echoes")
                    });
                });
                // A reset would do as well, but the server should see an ordinary client.
                let _ = stream.shutdown(Half::Both);
                drop(stream);
                server.stop();
            }
            group.finish();
        }
    }
}

/// Few and short samples: 42 benchmarks that differ by factors need no more.
fn quick() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = receive_buffer
}
criterion_main!(benches);
