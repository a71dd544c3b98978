//! The effect of the size of the receive buffer: messages echoed by a live reference server whose
//! `recv` asks for 64 bytes to 256 KiB (the tutorial uses 1 KiB).
//!
//! Latency is measured with one message in flight, throughput with as many as the sockets hold.

use std::io::{Read, Result, Write};
use std::net::{Shutdown as Half, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcprove_server::{Config, Model, Protocol, ServerError, Shutdown, bind, run};

const PAYLOADS: [usize; 3] = [1 << 10, 16 << 10, 256 << 10];
const RECEIVE_BUFFERS: [usize; 7] = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10];

/// Maximum time for each read or write, so that the bench cannot hang.
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
            .expect("the server ends without an error");
    }
}

/// Exchanges `count` messages, one at a time, and returns the duration.
fn one_by_one(stream: &mut TcpStream, payload: usize, count: u64) -> Result<Duration> {
    let (message, mut reply) = (vec![b'x'; payload], vec![0; payload]);
    let begun = Instant::now();
    for _ in 0..count {
        stream.write_all(&message)?;
        stream.read_exact(&mut reply)?;
    }
    Ok(begun.elapsed())
}

/// Sends `count` messages from one thread while another reads the replies, and returns the duration.
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

/// Exchanges messages: the stream, the payload in bytes, the number of messages.
type Exchange = fn(&mut TcpStream, usize, u64) -> Result<Duration>;

fn receive_buffer(criterion: &mut Criterion) {
    let exchanges: [(&str, Exchange); 2] = [("latency", one_by_one), ("throughput", streamed)];
    for payload in PAYLOADS {
        for (name, exchange) in exchanges {
            let title = format!("echo {} KiB, {name} by receive buffer", payload >> 10);
            let mut group = criterion.benchmark_group(title);
            group.throughput(Throughput::Bytes(payload as u64));
            for recv_buffer in RECEIVE_BUFFERS {
                let server = Server::start(recv_buffer);
                let mut stream = server.connect().expect("the server listens");
                group.bench_function(BenchmarkId::from_parameter(recv_buffer), |bencher| {
                    bencher.iter_custom(|count| {
                        exchange(&mut stream, payload, count).expect("the server echoes")
                    });
                });
                // Close in order, like an ordinary client.
                let _ = stream.shutdown(Half::Both);
                drop(stream);
                server.stop();
            }
            group.finish();
        }
    }
}

/// Few and short samples: there are 42 benchmarks, and their results differ by factors.
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
