//! The parts of a merged load as a table.

use maud::{Markup, html};

use super::super::number::{count, figure};
use crate::data::Unit;
use crate::load::Parts;
use crate::report::parts::parts;

pub(super) fn section(of: &Parts) -> Markup {
    let micros = |us: f64| figure(us, Unit::Micros);
    html! {
        section {
            h2 { "Parts" }
            p { (parts(of)) "." }
            div.scroll.narrow {
                table {
                    thead {
                        tr {
                            @for name in ["part", "replies", "per second", "p50", "p99", "late by", "valid"] { th scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for part in &of.each {
                            tr {
                                th scope="row" { (part.index) }
                                td { (count(part.ops)) }
                                td { (figure(part.ops_per_s, Unit::PerSecond)) }
                                td { (micros(part.p50_us)) }
                                td { (micros(part.p99_us)) }
                                td { (micros(part.late_us)) }
                                td { (if part.valid { "yes" } else { "no" }) }
                            }
                        }
                    }
                }
            }
        }
    }
}
