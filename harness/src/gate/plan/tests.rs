//! Tests of how a gate divides its time.

use super::*;

fn plan(seconds: u64, overhead_ms: u64) -> Result<GatePlan, TooShort> {
    let request = GateRequest {
        budgets: BTreeMap::from([(Metric::P99, 0.5)]),
        workload: Workload::default(),
        cells: Vec::new(),
        max_time: Duration::from_secs(seconds),
        exchange: Duration::ZERO,
        counts: true,
        sessions: None,
    };
    GatePlan::new(request, Duration::from_millis(overhead_ms))
}

#[test]
fn a_minute_is_twenty_real_ten_control_and_twelve_fresh_sessions_of_a_second() {
    let duet = plan(60, 20).unwrap().duet.unwrap();
    assert_eq!((duet.real, duet.control, duet.fresh), (20, 10, 12));
    assert!(duet.measured > Duration::from_millis(900), "{duet:?}");
}

#[test]
fn all_sessions_fit_and_more_time_is_more_sessions() {
    for seconds in [20, 60, 90, 300] {
        let overhead = Duration::from_millis(20);
        let plan = plan(seconds, 20).unwrap();
        let duet = plan.duet.as_ref().unwrap();
        let each = duet.warmup + duet.measured + overhead;
        let all = duet.real + duet.control + duet.fresh;
        let whole = each * all as u32 + plan.counting.unwrap();
        assert!(whole <= Duration::from_secs(seconds), "{seconds}: {plan:?}");
        assert!(
            seconds < 60 || whole > Duration::from_secs(seconds) * 4 / 5,
            "{whole:?}"
        );
    }
    assert!(plan(300, 20).unwrap().duet.unwrap().real > 100);
}

#[test]
fn what_took_longer_before_is_taken_from_the_sessions() {
    let duet = plan(60, 20).unwrap().duet.unwrap();
    let all = duet.real + duet.control + duet.fresh;
    assert_eq!(duet.within(duet.session * all as u32, all), duet);
    let late = duet.within(duet.session * all as u32 / 2, all);
    assert!(
        late.session * 2 <= duet.session + Duration::from_millis(1),
        "{late:?}"
    );
    assert_eq!(duet.measured - late.measured, duet.session - late.session);
    assert_eq!(duet.within(Duration::ZERO, all).measured, MEASURED_MIN);
}

#[test]
fn what_is_slow_to_count_is_counted_in_the_time_that_is_said_to_do() {
    for needed in [21, 44, 200].map(Duration::from_secs) {
        let plan = plan(time_to_count(needed).as_secs() + 1, 20).unwrap();
        let duet = plan.duet.as_ref().unwrap();
        let first_stage = duet.session * (duet.real + duet.control) as u32;
        let limit = plan.max_time - first_stage - RESERVE;
        assert!(limit >= needed, "{limit:?} of {needed:?}");
    }
}

#[test]
fn a_reply_is_awaited_as_long_as_a_busy_machine_needs_and_no_longer() {
    let patience = |seconds, exchange_ms| {
        let (time, exchange) = (
            Duration::from_secs(seconds),
            Duration::from_millis(exchange_ms),
        );
        duet::patience(time, exchange).as_secs()
    };
    assert_eq!(
        [8, 60, 120, 900].map(|seconds| patience(seconds, 1)),
        [2, 2, 4, 10]
    );
    assert_eq!((patience(60, 300), patience(60, 5_000)), (6, 10));
}

#[test]
fn a_server_that_takes_a_second_to_start_needs_longer_and_that_is_said() {
    let too_short = plan(60, 2_000).unwrap_err();
    let longer = plan(too_short.needed.as_secs() * 5 / 4 + 1, 2_000);
    assert!(longer.is_ok(), "{too_short:?}");
}

/// Four loads; throughput decides, or nothing of the matrix does.
fn with_loads(seconds: u64, decides: bool) -> Result<GatePlan, TooShort> {
    let cell = |connections| MatrixCell::new(Some(64), vec![0], connections);
    let request = GateRequest {
        budgets: match decides {
            true => BTreeMap::from([(Metric::Throughput, 0.1)]),
            false => BTreeMap::new(),
        },
        workload: Workload::default(),
        cells: [1, 2, 10, 50].map(cell).to_vec(),
        max_time: Duration::from_secs(seconds),
        exchange: Duration::ZERO,
        counts: true,
        sessions: None,
    };
    GatePlan::new(request, Duration::from_millis(20))
}

#[test]
fn loads_get_about_half_of_what_a_usual_gate_leaves() {
    for seconds in [20, 60, 89] {
        assert_eq!(with_loads(seconds, false).unwrap().matrix, None);
    }
    for seconds in [120, 200, 600] {
        let plan = with_loads(seconds, false).unwrap();
        let (duet, matrix) = (plan.duet.unwrap(), plan.matrix.unwrap());
        let half = Duration::from_secs(seconds - 60) / 2;
        assert!(matrix.time() <= half && matrix.rounds >= 8, "{matrix:?}");
        assert!(matrix.time() >= half / 2, "{matrix:?}");
        assert!(
            duet.real >= 20 && (seconds < 200 || duet.real > 40),
            "{duet:?}"
        );
    }
}

#[test]
fn loads_that_have_to_decide_need_time_and_what_would_do_is_said() {
    for seconds in [5, 20, 60, 70] {
        let too_short = with_loads(seconds, true).unwrap_err();
        let plan = with_loads(too_short.needed.as_secs(), true).unwrap();
        let matrix = plan.matrix.unwrap();
        assert!(matrix.rounds >= 8 && matrix.fresh_cells >= 1, "{matrix:?}");
        assert!(too_short.needed < Duration::from_secs(100), "{too_short:?}");
    }
}

#[test]
fn a_metric_that_is_given_a_budget_decides() {
    let plan = plan(60, 20).unwrap();
    assert!(plan.deciding.contains(&Metric::P99) && plan.deciding.contains(&Metric::ServerCpu));
    assert!(!plan.deciding.contains(&Metric::Throughput));
    assert_eq!(
        (plan.budget(Metric::P99), plan.budget(Metric::Rss)),
        (0.5, 0.1)
    );
}
