//! probe
use rustix::thread::{CpuSet, sched_setaffinity};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tcprove::load::Workload;
use tcprove::load::engine::{Lockstep, Orders, Shared, now};
use tcprove::target::{Launch, Server, StartOptions};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // exe base cand overlap spin? ms sessions talk
    let exe = &args[1];
    let cmds = [&args[2], &args[3]];
    let overlap = args[4] == "1";
    let ms: u64 = args[5].parse().unwrap();
    let sessions: usize = args[6].parse().unwrap();
    let talk = tcprove::talk::builtin(&args[7]).unwrap().talk;
    let server_cpu = vec![0usize];
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut logs = vec![];
    let mut p50s = vec![];
    let mut hls = vec![];
    for session in 0..sessions {
        let begun = Instant::now();
        let mut set = CpuSet::new();
        set.set(1);
        sched_setaffinity(None, &set).unwrap();
        let start = |which: usize| {
            let launch = Launch::new(exe, cmds[which].split(' '));
            rt.block_on(Server::start(
                &launch,
                StartOptions {
                    cpus: Some(server_cpu.clone()),
                    ..Default::default()
                },
            ))
            .unwrap()
        };
        let (a, b);
        if session % 2 == 0 {
            a = start(0);
            b = start(1);
        } else {
            b = start(1);
            a = start(0);
        }
        let servers = [&a, &b];
        let workload = Workload {
            connections: 1,
            pin: false,
            ..Workload::default()
        };
        let shared = [Shared::new(1), Shared::new(1)];
        let orders: Vec<Orders> = (0..2)
            .map(|w| Orders {
                workload: &workload,
                talk: &talk,
                values: BTreeMap::new(),
                payload: vec![b'x'; 64],
                addr: servers[w].addr(),
                shared: &shared[w],
            })
            .collect();
        let mut clients: Vec<Lockstep> = orders.iter().map(|o| Lockstep::new(o).unwrap()).collect();
        let mut lat: [Vec<u64>; 2] = [vec![], vec![]];
        let mut run = |dur: Duration, lat: &mut Option<&mut [Vec<u64>; 2]>| {
            let end = now() + dur.as_nanos() as u64;
            let mut n = 0u64;
            while now() < end {
                for k in 0..32 {
                    let order = if k % 4 == 0 || k % 4 == 3 {
                        [0, 1]
                    } else {
                        [1, 0]
                    };
                    if overlap {
                        let mut t = [0; 2];
                        for w in order {
                            clients[w].ready().unwrap();
                        }
                        for w in order {
                            t[w] = now();
                            clients[w].ask();
                        }
                        for w in order {
                            let e = clients[w].answered().unwrap();
                            if let Some(l) = lat {
                                l[w].push(e - t[w]);
                            }
                        }
                    } else {
                        for w in order {
                            clients[w].ready().unwrap();
                            let t = now();
                            clients[w].ask();
                            let e = clients[w].answered().unwrap();
                            if let Some(l) = lat {
                                l[w].push(e - t);
                            }
                        }
                    }
                    n += 1;
                }
            }
            n
        };
        run(Duration::from_millis(100), &mut None);
        let v = [
            tcprove::target::Vitals::of(a.pids()),
            tcprove::target::Vitals::of(b.pids()),
        ];
        let c0 = [a.cpu().unwrap(), b.cpu().unwrap()];
        let mut n = 0;
        let mut blocks = vec![];
        let bl: u64 = std::env::var("BLOCK").map_or(ms, |b| b.parse().unwrap());
        for _ in 0..ms / bl {
            let g0 = [v[0].glance().cpu, v[1].glance().cpu];
            n += run(Duration::from_millis(bl), &mut Some(&mut lat));
            let g1 = [v[0].glance().cpu, v[1].glance().cpu];
            blocks.push(
                ((g1[1] - g0[1]).as_nanos() as f64 / (g1[0] - g0[0]).as_nanos() as f64).ln()
                    * 100.0,
            );
        }
        hls.push(
            tcprove::stats::hodges_lehmann(&blocks, 0.9)
                .unwrap()
                .estimate,
        );
        let c1 = [a.cpu().unwrap(), b.cpu().unwrap()];
        let cpu: Vec<f64> = (0..2)
            .map(|w| (c1[w] - c0[w]).as_nanos() as f64 / n as f64 / 1000.0)
            .collect();
        for l in &mut lat {
            l.sort();
        }
        let p50: Vec<f64> = lat.iter().map(|l| l[l.len() / 2] as f64 / 1000.0).collect();
        logs.push((cpu[1] / cpu[0]).ln() * 100.0);
        p50s.push((p50[1] / p50[0]).ln() * 100.0);
        if session < 2 {
            println!(
                "n {n} cpu us/op {:.3} {:.3}  p50 {:.2} {:.2} wall {:?} rss {}",
                cpu[0],
                cpu[1],
                p50[0],
                p50[1],
                begun.elapsed(),
                a.usage().unwrap().rss_bytes
            );
        }
        drop(clients);
        a.kill();
        b.kill();
    }
    let stat = |v: &[f64]| {
        let m = v.iter().sum::<f64>() / v.len() as f64;
        let s = (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (v.len() - 1) as f64).sqrt();
        let mut q = v.to_vec();
        q.sort_by(f64::total_cmp);
        format!(
            "mean {m:+.3} sd {s:.3} median {:+.3} min {:+.2} max {:+.2}",
            q[q.len() / 2],
            q[0],
            q[q.len() - 1]
        )
    };
    println!("overlap {overlap} ms {ms}: cpu% {}", stat(&logs));
    println!("               hl  {}", stat(&hls));
    println!("               p50% {}", stat(&p50s));
}
