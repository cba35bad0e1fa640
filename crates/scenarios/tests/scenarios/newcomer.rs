//! What somebody who opens the pages for the first time can find out there: what each figure means, what it is
//! compared with, and why each alert of a call rose.

use serde_json::Value;
use sidetone_scenarios::demo::Demo;
use sidetone_scenarios::until;

use crate::browser::Seat;

/// The texts that a script gives as an array.
fn texts(seat: &mut Seat, script: &str) -> Vec<String> {
    let Value::Array(found) = seat.chromium.value(script) else { panic!("{script}") };
    found.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_newcomer_learns_what_a_figure_means_and_why_an_alert_rose() {
    let demo = Demo::start();
    let mut seat = Seat::at(demo.pages);
    seat.sign_in(&demo.supervisor);
    // The half day before the demo is made while it runs.
    until("all figures of the half day, compared, and its cues", || {
        seat.open("/figures?lang=en");
        let there = "document.querySelectorAll('.figures .change').length >= 10 && !!document.querySelector('.cue-line')";
        (seat.chromium.value(there) == true).then_some(())
    });
    figures_are_defined_and_compared(&mut seat);
    cues_are_named_by_their_lines(&mut seat);
    alerts_have_their_reasons(&mut seat);
    the_wall_has_calls_to_sort(&mut seat);
    assert_eq!(seat.chromium.complaints(), [] as [String; 0]);
    demo.call_over();
    demo.stop();
}

/// A definition is there on hover, and without a mouse behind a summary; in the table's heads on hover.
fn figures_are_defined_and_compared(seat: &mut Seat) {
    seat.open("/figures?lang=en");
    let hovered = texts(seat, "[...document.querySelectorAll('.figures h2')].map(it => it.title)");
    assert_eq!(hovered.len(), 12);
    let behind = "[...document.querySelectorAll('.figures details p')].map(it => it.textContent)";
    assert_eq!(texts(seat, behind), hovered);
    assert!(hovered.iter().all(|text| text.split(' ').count() > 5), "{hovered:?}");
    let shown = "document.querySelector('.figures details p').checkVisibility()";
    assert_eq!(seat.chromium.value(shown), false);
    seat.chromium.click(".figures summary");
    assert_eq!(seat.chromium.value(shown), true);
    let heads =
        texts(seat, "[...document.querySelectorAll('table.by-label thead th')].slice(2).map(it => it.title)");
    assert!(heads.len() == 9 && heads.iter().all(|title| hovered.contains(title)), "{heads:?}");
    // What the mouse is over is that name, and nothing lies above it.
    let over = "(() => { const it = document.querySelector('.figures h2'), box = it.getBoundingClientRect();
        return document.elementFromPoint(box.x + 9, box.y + 9).title === it.title; })()";
    assert_eq!(seat.chromium.value(over), true);
    // The day five weeks ago was a worse one.
    let compared =
        texts(seat, "[...document.querySelectorAll('.figures .change')].map(it => it.textContent)");
    assert!(compared.len() >= 10, "{compared:?}");
    assert!(compared.iter().any(|text| text.contains("Lower") || text.contains("Higher")), "{compared:?}");
}

fn cues_are_named_by_their_lines(seat: &mut Seat) {
    for (language, line) in [("en", "Say what you are doing"), ("de", "Sagen Sie, was Sie tun")] {
        seat.open(&format!("/figures?lang={language}"));
        let rows = texts(seat, "[...document.querySelectorAll('.cue-line')].map(it => it.innerText)");
        assert!(rows.iter().any(|row| row.contains(line) && row.contains("say-what-you-do")), "{rows:?}");
    }
}

/// One call follows the other on the lines beside the demo's own.
fn the_wall_has_calls_to_sort(seat: &mut Seat) {
    seat.open("/live?lang=en");
    until("a call of each line", || {
        let text = seat.chromium.text();
        ["2103", "2003"].iter().all(|agent| text.contains(agent)).then_some(())
    });
}

/// Each alert of a call stands there with its time, its evidence and what the voice was like, beside what it means.
fn alerts_have_their_reasons(seat: &mut Seat) {
    seat.open("/calls?outcome=recovered&lang=en");
    seat.chromium.follow("table.calls tbody a");
    let reasons = texts(seat, "[...document.querySelectorAll('ol.reasons > li')].map(it => it.innerText)");
    let rose = "[...document.querySelectorAll('ol.story li.alert')].map(it => it.innerText)
        .filter(it => it.includes('Alert rose'))";
    let rose = texts(seat, rose);
    assert!(!rose.is_empty() && reasons.len() == rose.len(), "{reasons:?} {rose:?}");
    for (reason, line) in reasons.iter().zip(&rose) {
        let at = line.split_whitespace().find(|word| word.contains(':')).unwrap();
        for part in [&format!("at {at}"), "The evidence had reached", "Valence", "arousal", "sure"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
}
