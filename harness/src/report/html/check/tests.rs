//! Tests of the pages of checks: that they are whole, and that nothing of a server gets into their markup.

use super::super::{Page, calls, check, nothing, replay, sample as pages, whole};
use crate::report::html::tests::drawings;
use crate::report::{Body, CheckReport, sample, sample_check};

fn checked() -> CheckReport {
    let Body::Check(checked) = sample_check::checked_in_full().body else {
        panic!("a battery")
    };
    checked
}

fn with_page<T>(render: impl FnOnce(&Page) -> T) -> T {
    render(&pages::page(&pages::environment()))
}

/// Every page that has to do with checks.
fn every_page() -> Vec<String> {
    let (Body::Calls(swept), Body::Replay(replayed)) =
        (sample_check::calls().body, sample::replay().body)
    else {
        panic!("a sweep of calls and a replay")
    };
    let error = sample::failed_to_start().error;
    with_page(|page| {
        vec![
            check(page, &checked()),
            whole(page, &sample_check::whole(checked())),
            calls(page, &swept),
            replay(page, &replayed),
            nothing(page, error.as_ref()),
        ]
    })
}

#[test]
fn nothing_of_a_server_gets_into_the_markup() {
    for page in every_page() {
        drawings(&page);
        assert!(page.contains("&lt;script&gt;|`x`"), "{page}");
        for bad in [
            "<script", "\u{1b}", "\u{202e}", "http://", "https://", "src=",
        ] {
            assert!(!page.contains(bad), "{bad:?}: {page}");
        }
    }
}

/// Ids are unique, and what a link or a label points to is there.
#[test]
fn every_link_leads_somewhere() {
    for page in every_page() {
        let values = |name: &str| -> Vec<String> {
            let begin = format!(" {name}=\"");
            let parts = page.split(&begin).skip(1);
            parts
                .map(|part| part.split('"').next().unwrap().to_owned())
                .collect()
        };
        let mut ids = values("id");
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "an id is there twice");
        let links = values("href")
            .into_iter()
            .map(|link| link.trim_start_matches('#').to_owned());
        for link in links.chain(values("for")) {
            assert!(ids.contains(&link), "{link} leads nowhere");
        }
    }
}

#[test]
fn a_finding_has_all_that_is_needed_to_understand_it() {
    let page = with_page(|page| check(page, &checked()));
    let begin = page.find(" id=\"split-bytewise\"").unwrap();
    let end = page[begin..].find("</details>").unwrap();
    let card = &page[begin..begin + end];
    for text in [
        "RFC 9293, 3.8",
        "<dt>expected</dt>",
        "<dt>happened</dt>",
        "class=\"step to-server c0\"",
        "class=\"step to-client c0\"",
        "… 3 more steps",
        "SIGTERM to process 7",
        "connection refused (4 times)",
        "<pre class=\"log\">Traceback:",
        "tcprove check --only split-bytewise",
        "nc 127.0.0.1 PORT",
        "<b>next: </b>look at the code",
    ] {
        assert!(card.contains(text), "{text}: {card}");
    }
    assert!(page.contains("<dt>waived</dt><dd>issue 7</dd>"));
}

/// The filter has a rule for each outcome and group, and each row has its classes.
#[test]
fn checks_can_be_filtered_without_a_script() {
    let page = with_page(|page| check(page, &checked()));
    let rows = page.matches("class=\"one o").count();
    assert_eq!(rows, checked().outcomes.len());
    let radios = page.matches("type=\"radio\"").count();
    let rules = page.matches(":checked ~ .list > .one:not(").count();
    // "All" of each of the two has no rule.
    assert_eq!(radios, rules + 2);
}

/// Of a battery that was merged it is not known when checks ran; of one in which nothing ran there is nothing to draw.
#[test]
fn a_page_does_without_what_is_not_known() {
    let mut merged = checked();
    for outcome in &mut merged.outcomes {
        outcome.ran.clear();
        outcome.transcript = Default::default();
        outcome.evidence.clear();
    }
    (merged.rehearsal, merged.since) = (None, None);
    let page = with_page(|page| check(page, &merged));
    drawings(&page);
    assert!(page.contains("How long each check took"));
    assert!(!page.contains("class=\"sequence\""));
    let page = with_page(|page| check(page, &CheckReport::default()));
    drawings(&page);
    assert!(page.contains("<h1>No check ran</h1>"));
    assert!(!page.contains("class=\"timeline\""));
}
