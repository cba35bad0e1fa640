//! Every page is HTML that can be read, escapes what comes from outside, works without inline script and style, and
//! stays small. The check is of this crate's own kind: it knows the elements that the pages use, and is strict.

#[path = "../examples/preview/made_up.rs"]
#[allow(dead_code)]
mod made_up;
#[path = "markup/reader.rs"]
mod reader;

use serde_json::json;
use sidetone_pages::{
    CallLabels, CallList, CallsQuery, DeskCall, DeskPaths, Figures, FiguresQuery, Language, LiveCall,
    NoteFault, NoteForm, Own, PracticeChoice, PracticeCue, PracticeSummary, Practising, QueryFault, Refused,
    Section, Shell, SignIn, SignInFault, WallQuery, WallView, Written, WrittenFault, WrittenForm,
    WrittenMessage, assets, call, calls, compliance, desk, figures, figures_csv, operations, practice,
    practice_list, practice_waits, problem, sign_in, wall, wall_fragment, written,
};
use sidetone_store::{
    Alert, Call, CallDetails, CallOutcome, Happened, Moment, Note, NoteKind, Point, Role, SelfNote, Survey,
};

/// Breaks out of text, attributes and elements where they are not guarded, and turns the direction of writing.
const HOSTILE: &str =
    "</td></main><script>alert(1)</script>\"' onload='x' style=\"y\"><img src=x>\u{202e}\u{0}&amp;";

fn shell(language: Language, text: &str) -> Shell<'_> {
    Shell {
        language,
        here: text,
        base: "",
        name: Some(text),
        role: Some(Role::Supervisor),
        sections: Section::of(Role::Supervisor),
        csrf: text,
        now: made_up::NOW,
    }
}

/// Each page, by its name, with this text wherever one from outside is shown.
fn pages(language: Language, text: &str) -> Vec<(&'static str, String)> {
    let shell = shell(language, text);
    let outside = Shell { name: None, role: None, sections: &[], ..shell };
    let mut live = made_up::live();
    let mut list = made_up::list();
    let mut details = [made_up::upset_call(), made_up::call_that_is_up(), made_up::erased_call()];
    let mut days = made_up::days();
    let mut trunks = made_up::trunks();
    let mut labels = made_up::labels();
    if text == HOSTILE {
        live.iter_mut().for_each(|it| spoil(&mut it.call));
        list.iter_mut().for_each(spoil);
        details.iter_mut().for_each(spoil_details);
        days.iter_mut().for_each(|day| day.label = HOSTILE.to_owned());
        trunks.push(HOSTILE.to_owned());
        labels.queues.push(HOSTILE.to_owned());
        labels.teams.push(HOSTILE.to_owned());
    }
    let live: Vec<LiveCall<'_>> =
        live.iter().map(|it| LiveCall { call: &it.call, points: &it.affect }).collect();
    let usual = FiguresQuery::default();
    let asked = FiguresQuery {
        label: text.to_owned(),
        by: text.to_owned(),
        from: text.to_owned(),
        ..FiguresQuery::default()
    };
    let query = CallsQuery::default();
    let hostile = CallsQuery {
        from: text.to_owned(),
        trunk: text.to_owned(),
        queue: text.to_owned(),
        agent: text.to_owned(),
        topic: text.to_owned(),
        outcome: text.to_owned(),
        number: text.to_owned(),
        after: text.to_owned(),
        ..CallsQuery::default()
    };
    let cursor = list.last().map(Call::cursor);
    let filters = [sidetone_store::KeptFilter { name: text.to_owned(), query: "?outcome=upset".to_owned() }];
    let part = |rows, query, fault| CallList {
        noted: &[],
        moments: &[],
        rows,
        trunks: &trunks,
        labels: &labels,
        query,
        fault,
        filters: &filters,
        next: cursor.as_ref(),
        looked_back_to: None,
    };
    let gate = SignIn {
        fault: Some(SignInFault::Password),
        password: true,
        name: text,
        next: text,
        provider: Some(text),
        out: Some(text),
    };
    let as_list = WallQuery { view: WallView::List, queue: text.to_owned(), tier: text.to_owned() };
    let by_team = FiguresQuery { by: "team".to_owned(), ..FiguresQuery::default() };
    let agents = Shell { role: Some(Role::Agent), sections: Section::of(Role::Agent), ..shell };
    let note = SelfNote { posted: made_up::NOW, text: text.to_owned() };
    let sent =
        NoteForm { kind: text.to_owned(), at: text.to_owned(), text: text.to_owned(), ..NoteForm::default() };
    let refused = Refused { fault: NoteFault::Unfit, sent };
    let own = Own { self_note: Some(&note), refused: Some(&refused) };
    let form = WrittenForm { chat: true, text, customer: text };
    let message = WrittenMessage {
        text: text.to_owned(),
        valence: Some(f64::NAN),
        urgency: 2.0,
        topics: vec![(text.to_owned(), text.to_owned())],
    };
    let read = Written {
        messages: vec![message],
        topics: vec![text.to_owned()],
        suggestion: Some(("Ask.".to_owned(), Some("It helps.".to_owned()), "en".to_owned())),
        ..Written::default()
    };
    let who = WrittenFault::Who(vec![text.to_owned()]);
    let mut pages = vec![
        ("wall", wall(&shell, &live, &WallQuery::default(), Some("/live/events"))),
        ("wall as a list", wall(&shell, &live, &as_list, None)),
        ("wall without a call", wall(&shell, &[], &WallQuery::default(), None)),
        ("calls", calls(&shell, &part(&list, &query, None))),
        ("calls by a wrong query", calls(&shell, &part(&[], &hostile, Some(QueryFault::Day)))),
        ("figures", figures(&shell, &Figures::of(&days, &usual, made_up::NOW))),
        ("figures by a wrong query", figures(&shell, &Figures::of(&days, &asked, made_up::NOW))),
        ("figures by team", figures(&shell, &Figures::of(&days, &by_team, made_up::NOW))),
        ("an agent's call", call(&agents, &details[0], &own)),
        ("a call with a refused note", call(&shell, &details[0], &own)),
        ("figures of nothing", figures(&shell, &Figures::of(&[], &usual, made_up::NOW))),
        ("operations", made_up::operations(false, text, |it| operations(&shell, it))),
        ("operations with much amiss", made_up::operations(true, text, |it| operations(&shell, it))),
        ("compliance", made_up::compliance(false, text, |it| compliance(&shell, it))),
        ("compliance with much amiss", made_up::compliance(true, text, |it| compliance(&shell, it))),
        ("compliance of nothing", made_up::compliance_of_nothing(|it| compliance(&shell, it))),
        ("sign-in", sign_in(&outside, &gate)),
        (
            "sign-in by token",
            sign_in(&outside, &SignIn { fault: Some(SignInFault::Token), ..SignIn::default() }),
        ),
        ("problem", problem(&shell, 503, Some(text))),
        ("practice to choose", practice_list(&agents, &[PracticeChoice { id: "hold", length_ms: 71_000 }])),
        ("practice that is made ready", practice_waits(&agents)),
        ("practice", practice(&agents, &practising(text, false), PATHS)),
        ("practice that is over", practice(&agents, &practising(text, true), PATHS)),
        ("a text to read", written(&agents, WrittenForm::default(), None, None)),
        ("a text that was read", written(&agents, form, Some(&read), None)),
        ("a text whose writer is asked for", written(&agents, form, None, Some(&who))),
        ("problem outside", problem(&outside, 404, None)),
    ];
    pages.extend(details.iter().map(|details| ("call", call(&shell, details, &Own::default()))));
    pages
}

const PATHS: DeskPaths<'_> = DeskPaths { stream: "/desk/stream", part: "/desk/call", answer: "/desk/answer" };

/// A recorded call that plays, or is over.
fn practising(text: &str, over: bool) -> Practising {
    let cue = PracticeCue {
        at_ms: 1_000,
        line: "Ask.".to_owned(),
        language: "en".to_owned(),
        others: [].into(),
        answer: Some((true, 2_000)),
    };
    Practising {
        id: "whole".to_owned(),
        elapsed_ms: 1_000,
        length_ms: 71_000,
        call: DeskCall {
            id: text.to_owned(),
            since: 0,
            direction: text.to_owned(),
            answered: true,
            held: true,
            queue: Some(text.to_owned()),
            consent: "given".to_owned(),
            customer: None,
            alert: Some(text.to_owned()),
            said: Some(text.to_owned()),
            topics: vec![text.to_owned()],
            pace: Some(f64::NAN),
            share: Some(0.5),
            cue: None,
        },
        caption: Some((false, text.to_owned())),
        summary: over.then(|| PracticeSummary {
            shift: Some((f64::NAN, 0.5)),
            alerts: vec![(text.to_owned(), 1, None)],
            cues: vec![cue],
        }),
    }
}

fn spoil(call: &mut Call) {
    let text = || HOSTILE.to_owned();
    call.id = format!("{}{}", call.id, HOSTILE.replace(['\'', '"', '<', '>', '\0'], "/"));
    call.trunk = text();
    call.queue = Some(text());
    call.agent = Some(text());
    call.team = Some(text());
    call.tier = Some(text());
    call.call_type = Some(text());
    call.language = Some(text());
    call.sip_call_id = text();
    call.direction = text();
    call.node = Some(text());
    call.caller = Some(text());
    call.callee = Some(text());
    call.cause = Some(text());
    call.consent = Some(text());
    call.state = Some(text());
    call.trend = Some(text());
    call.alert = Some(text());
    call.held_by = Some(text());
    call.shift = call.shift.map(|_| f64::NAN);
    call.valence = Some(f64::INFINITY);
}

fn spoil_details(details: &mut CallDetails) {
    spoil(&mut details.call);
    let text = || HOSTILE.to_owned();
    details.outcome = Some(CallOutcome { reason: Some(text()), ..CallOutcome::default() });
    details.survey = Some(Survey { comment: Some(text()), ..Survey::default() });
    for note in &mut details.notes {
        (note.by, note.text) = (text(), text());
    }
    for event in &mut details.events {
        for value in event.data.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if value.is_string() {
                *value = json!(HOSTILE);
            }
        }
    }
    for (seq, kind) in
        ["call.held", "consent.changed", "announcement", "call.ended", HOSTILE].into_iter().enumerate()
    {
        let reasons = json!({"analysis": {"reasons": {(HOSTILE): 3}}});
        let data =
            json!({"by": HOSTILE, "state": HOSTILE, "toward": HOSTILE, "cause": HOSTILE, "summary": reasons});
        details.events.push(Happened {
            seq: 1000 + seq as u64,
            at_ms: u64::MAX,
            kind: kind.to_owned(),
            data,
        });
    }
    details.alerts.push(Alert {
        alert: HOSTILE.to_owned(),
        from_ms: 5,
        to_ms: Some(1),
        score: Some(f64::NAN),
    });
    let nothing = f64::NAN;
    details.affect.push(Point {
        at_ms: 3,
        valence: nothing,
        arousal: nothing,
        distress: nothing,
        confidence: nothing,
    });
}

#[test]
fn every_page_can_be_read_by_browsers_and_screen_readers() {
    for language in Language::ALL {
        for (name, html) in pages(language, "/here?x=1") {
            reader::check(&html, language.code()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
}

#[test]
fn text_from_outside_stays_text() {
    for (name, html) in pages(Language::En, HOSTILE) {
        reader::check(&html, "en").unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(!html.contains("<script>") && !html.contains("<img"), "{name}");
        for turned in ['\u{202e}', '\u{0}'] {
            let shown = html.replace(&format!("value=\"{}\"", escaped(HOSTILE)), "");
            assert!(!shown.contains(turned), "{name}: {turned:?}");
        }
        assert!(!html.contains("NaN") && !html.contains("inf\""), "{name}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn a_page_with_its_assets_stays_under_100_kilobytes_however_much_there_is() {
    let assets: usize = assets().iter().map(|asset| asset.bytes.len()).sum();
    for language in Language::ALL {
        let shell = shell(language, "/live");
        let one = made_up::live().swap_remove(11);
        let up: Vec<Call> = (0..500)
            .map(|number| Call { id: format!("01KJMBQDHX04HMASW9NF{number:06}"), ..one.call.clone() })
            .collect();
        let live: Vec<LiveCall<'_>> = up.iter().map(|call| LiveCall { call, points: &one.affect }).collect();
        let row = made_up::list().swap_remove(4);
        let rows = vec![row; 500];
        let trunks: Vec<String> = (0..200).map(|number| format!("a-trunk-with-a-name-{number}")).collect();
        let mut days = made_up::days();
        for (index, day) in days.iter_mut().enumerate() {
            day.label.clone_from(&trunks[index % 200]);
            day.calls += 500;
            day.judged += 500;
        }
        let as_list = WallQuery { view: WallView::List, ..WallQuery::default() };
        let labels = CallLabels {
            queues: trunks.clone(),
            teams: trunks.clone(),
            tiers: trunks.clone(),
            has_topics: true,
        };
        let mut long = made_up::upset_call();
        let text = "some words and more\n".repeat(100);
        long.notes = vec![Note { text, ..long.notes[0].clone() }; 100];
        let points = long.affect.clone();
        for round in 1..200 {
            long.affect.extend(points.iter().map(|it| Point { at_ms: it.at_ms + round * 372_000, ..*it }));
        }
        for seq in 1000..5000 {
            let data = json!({"by": "agent"});
            long.events.push(Happened { seq, at_ms: seq * 1000, kind: "call.held".to_owned(), data });
            let alert = "frustration".to_owned();
            long.alerts.push(Alert {
                alert,
                from_ms: seq * 1000,
                to_ms: Some(seq * 1000 + 9),
                score: Some(0.7),
            });
        }
        let moment = Moment {
            call: "01KJMBQDHX04HMASW9NF000001".to_owned(),
            started: made_up::NOW,
            kind: NoteKind::Empathy,
            at_ms: Some(71_000),
            by: "x".repeat(64),
        };
        let moments = vec![moment; 10];
        let query = CallsQuery::default();
        let list = CallList {
            noted: &[],
            moments: &moments,
            rows: &rows,
            trunks: &trunks,
            labels: &labels,
            query: &query,
            fault: None,
            filters: &[],
            next: None,
            looked_back_to: None,
        };
        let quarter = FiguresQuery {
            from: "2026-09-29".to_owned(),
            until: "2026-11-29".to_owned(),
            ..FiguresQuery::default()
        };
        let year = FiguresQuery { from: "1970-01-01".to_owned(), ..FiguresQuery::default() };
        let of = |query| figures(&shell, &Figures::of(&days, query, made_up::NOW));
        let pages = [
            ("cards", wall(&shell, &live, &WallQuery::default(), Some("/live/events"))),
            ("list", wall(&shell, &live, &as_list, None)),
            ("calls", calls(&shell, &list)),
            ("call", call(&shell, &long, &Own::default())),
            ("figures by days", of(&quarter)),
            ("figures by weeks", of(&year)),
            ("operations", made_up::operations(true, &"x".repeat(900), |it| operations(&shell, it))),
            ("compliance", made_up::compliance(true, &"x".repeat(900), |it| compliance(&shell, it))),
        ];
        for (name, html) in pages {
            assert!(html.len() + assets < 100_000, "{name} {}: {} + {assets}", language.code(), html.len());
            reader::check(&html, language.code()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
}

#[test]
fn the_fragment_is_the_part_of_the_wall_that_changes() {
    let shell = shell(Language::En, "/live");
    let live = made_up::live();
    let live: Vec<LiveCall<'_>> =
        live.iter().map(|it| LiveCall { call: &it.call, points: &it.affect }).collect();
    let fragment = wall_fragment(&shell, &live, &WallQuery::default());
    assert!(wall(&shell, &live, &WallQuery::default(), None).contains(&fragment));
    assert!(fragment.contains("2 may need somebody now"));
    let place = |text: &str| fragment.find(text).unwrap();
    assert!(place("May need somebody now") < place("Seems to get worse"));
    assert!(place("Seems to get worse") < place("Going along"));
}

#[test]
fn no_page_speaks_of_an_agent_by_name_or_rank_and_each_calls_its_estimates_estimates() {
    for (name, html) in pages(Language::En, "/here") {
        assert!(html.contains("wrong often enough that one call proves nothing"), "{name}");
        assert!(!html.to_lowercase().contains("by agent<") && !html.contains("best agent"), "{name}");
    }
}

#[test]
fn every_path_stands_behind_the_base() {
    let language = Language::De;
    let shell = Shell { base: "/desk", ..shell(language, "/desk/live?view=list") };
    let live = made_up::live();
    let live: Vec<LiveCall<'_>> =
        live.iter().map(|it| LiveCall { call: &it.call, points: &it.affect }).collect();
    let list = made_up::list();
    let cursor = list.last().map(Call::cursor);
    let query = CallsQuery { outcome: "upset".to_owned(), ..CallsQuery::default() };
    let list = CallList {
        noted: &[],
        moments: &[],
        rows: &list,
        trunks: &[],
        labels: &CallLabels::default(),
        query: &query,
        fault: None,
        filters: &[],
        next: cursor.as_ref(),
        looked_back_to: None,
    };
    let outside = Shell { name: None, sections: &[], ..shell };
    let gate = SignIn { password: true, ..SignIn::default() };
    let pages = [
        wall(&shell, &live, &WallQuery::default(), Some("/live/events")),
        calls(&shell, &list),
        call(&shell, &made_up::upset_call(), &Own::default()),
        figures(&shell, &Figures::of(&made_up::days(), &FiguresQuery::default(), made_up::NOW)),
        made_up::operations(true, "a", |it| operations(&shell, it)),
        made_up::compliance(true, "a", |it| compliance(&shell, it)),
        sign_in(&outside, &gate),
        problem(&outside, 401, None),
    ];
    for html in pages {
        reader::check(&html, "de").unwrap();
        for name in ["href", "src", "action", "data-fragment", "data-events"] {
            for value in html.split(&format!(" {name}=\"")).skip(1) {
                assert!(value.starts_with("/desk/") || value.starts_with("#content"), "{name} {value:.60}");
            }
        }
    }
}

#[test]
fn an_erased_call_says_so_and_shows_no_estimate() {
    let html = call(&shell(Language::En, "/"), &made_up::erased_call(), &Own::default());
    assert!(
        html.contains("The customer objected.")
            && html.contains("2 alerts and measurements of talk before it erased")
    );
    assert_eq!(html.matches("has been erased").count(), 1, "{html}");
    assert!(!html.contains("<svg class=\"timeline"));
}

#[test]
fn a_list_that_was_not_looked_through_whole_says_how_far_back_and_leads_on() {
    let next: sidetone_store::Cursor = "1772357400125-0".parse().unwrap();
    let query = CallsQuery { outcome: "declined".to_owned(), ..CallsQuery::default() };
    let list = CallList {
        noted: &[],
        moments: &[],
        rows: &[],
        trunks: &[],
        labels: &CallLabels::default(),
        query: &query,
        fault: None,
        filters: &[],
        next: Some(&next),
        looked_back_to: Some(1_772_357_400_125),
    };
    let html = calls(&shell(Language::En, "/calls"), &list);
    assert!(!html.contains("No call fits"), "it is not known yet");
    assert!(html.contains("looked back to <time datetime=\"2026-03-01T09:30:00Z\""), "{html}");
    let on =
        "href=\"/calls?outcome=declined&amp;after=1772357400125-0\" rel=\"next\">Look further back →</a>";
    assert!(html.contains(on), "{html}");
    let last = CallList { next: None, looked_back_to: None, ..list };
    assert!(calls(&shell(Language::En, "/calls"), &last).contains("No call fits"));
}

#[test]
fn a_number_is_posted_and_never_stands_in_an_address() {
    let list = CallList {
        noted: &[],
        moments: &[],
        rows: &[],
        trunks: &[],
        labels: &CallLabels::default(),
        query: &CallsQuery::default(),
        fault: None,
        filters: &[],
        next: None,
        looked_back_to: None,
    };
    let html = calls(&shell(Language::En, "/calls"), &list);
    assert!(html.contains("<form class=\"filter\" method=\"post\" action=\"/calls\">"), "{html}");
}

#[test]
fn figures_of_a_range_without_days_are_none() {
    let figures = Figures::of(&[], &FiguresQuery::default(), made_up::NOW);
    assert!(figures_csv(&shell(Language::En, "/"), &figures).lines().count() == 2);
}

#[test]
fn the_state_of_the_service_is_told_by_words_and_by_the_names_in_prometheus() {
    let shell = shell(Language::En, "/operations");
    let html = made_up::operations(true, "carrier-south", |it| operations(&shell, it));
    for told in ["Not ready for new calls", "carrier-south", "SidetonePeerDown", "sidetone_sessions", "down"]
    {
        assert!(html.contains(told), "{told}");
    }
    let html = made_up::operations(false, "carrier-south", |it| operations(&shell, it));
    assert!(html.contains("Ready for calls") && html.contains("no condition of the alert rules holds"));
}

#[test]
fn receipts_that_are_not_whole_are_told_and_small_days_have_no_share() {
    let shell = shell(Language::En, "/compliance");
    let html = made_up::compliance(true, "x", |it| compliance(&shell, it));
    assert!(html.contains("Not intact") && html.contains("x:12: was changed"));
    let html = made_up::compliance(false, "x", |it| compliance(&shell, it));
    assert!(html.contains("Intact") && html.contains("48302:9f1c") && html.contains("/compliance?after="));
    assert!(!html.contains(&"a1".repeat(32)), "a hashed number stands there by its beginning");
}

#[test]
fn a_note_that_is_refused_keeps_what_was_written() {
    let details = made_up::upset_call();
    let sent = NoteForm {
        kind: "empathy".to_owned(),
        at: "99:59".to_owned(),
        text: "She waited\nfor the <caller>.".to_owned(),
        ..NoteForm::default()
    };
    let refused = Refused { fault: NoteFault::Unfit, sent };
    let kept = SelfNote { posted: made_up::NOW, text: "as it was kept before".to_owned() };
    let own = Own { self_note: Some(&kept), refused: Some(&refused) };
    let supervisor = shell(Language::En, "Maria");
    let page = call(&supervisor, &details, &own);
    for part in
        ["She waited\nfor the &lt;caller&gt;.</textarea>", "value=\"99:59\"", "value=\"empathy\" selected"]
    {
        assert!(page.contains(part), "{part}");
    }
    let agent = Shell { role: Some(Role::Agent), sections: Section::of(Role::Agent), ..supervisor };
    let page = call(&agent, &details, &own);
    assert!(page.contains("She waited\nfor the") && !page.contains("as it was kept before"));
    let page = call(&agent, &details, &Own { refused: None, ..own });
    assert!(page.contains("as it was kept before"));
}

#[test]
fn supervisors_see_whose_call_it_was() {
    let list = made_up::list();
    let agent = list.iter().find_map(|call| call.agent.clone()).unwrap();
    let (trunks, labels, query) = (made_up::trunks(), made_up::labels(), CallsQuery::default());
    let part = CallList {
        noted: &[],
        moments: &[],
        rows: &list,
        trunks: &trunks,
        labels: &labels,
        query: &query,
        fault: None,
        filters: &[],
        next: None,
        looked_back_to: None,
    };
    let supervisor = shell(Language::En, "Maria");
    let page = calls(&supervisor, &part);
    assert!(page.contains("<th scope=\"col\">Agent</th>") && page.contains(&format!("<bdi>{agent}</bdi>")));
    let own = Shell { role: Some(Role::Agent), ..supervisor };
    assert!(!calls(&own, &part).contains("<th scope=\"col\">Agent</th>"));
}

#[test]
fn the_queues_to_choose_from_come_with_each_change() {
    let shell = shell(Language::En, "Maria");
    let calls = made_up::live();
    let live: Vec<_> = calls.iter().map(|it| LiveCall { call: &it.call, points: &it.affect }).collect();
    assert!(wall_fragment(&shell, &live, &WallQuery::default()).contains("id=\"queue-"));
    assert!(!wall_fragment(&shell, &[], &WallQuery::default()).contains("id=\"queue-"));
}

#[test]
fn the_wall_shows_one_tier_of_one_queue() {
    let shell = shell(Language::En, "Maria");
    let of = |id: &str, queue: &str, tier: &str| {
        let mut call = made_up::live().swap_remove(0).call;
        call.id = id.to_owned();
        (call.queue, call.tier) = (Some(queue.to_owned()), Some(tier.to_owned()));
        call
    };
    let calls = [of("A", "billing", "gold"), of("B", "billing", "silver"), of("C", "orders", "gold")];
    let live: Vec<_> = calls.iter().map(|call| LiveCall { call, points: &[] }).collect();
    let shown = |queue: &str, tier: &str| {
        let query = WallQuery { queue: queue.to_owned(), tier: tier.to_owned(), ..WallQuery::default() };
        let html = wall_fragment(&shell, &live, &query);
        let calls: Vec<&str> =
            ["A", "B", "C"].into_iter().filter(|id| html.contains(&format!("/calls/{id}\""))).collect();
        // Whoever chooses one keeps the other.
        assert!(tier.is_empty() || html.contains(&format!("queue=orders&amp;tier={tier}")), "{html}");
        calls.concat()
    };
    assert_eq!(shown("", ""), "ABC");
    assert_eq!(shown("", "gold"), "AC");
    assert_eq!(shown("billing", "gold"), "A");
    assert_eq!(shown("billing", "bronze"), "");
}

#[test]
fn without_script_what_is_live_is_loaded_again_and_what_is_written_is_not() {
    let shell = shell(Language::En, "Maria");
    let again = "<noscript><meta http-equiv=\"refresh\"";
    assert!(wall(&shell, &[], &WallQuery::default(), None).contains(again));
    let paths = DeskPaths { stream: "/desk/stream", part: "/desk/call", answer: "/desk/answer" };
    assert!(desk(&shell, None, "2001", paths, true).contains(again));
    assert!(!call(&shell, &made_up::upset_call(), &Own::default()).contains(again));
}

#[test]
fn labels_that_are_told_together_are_one_line() {
    let mut details = made_up::upset_call();
    details.events.retain(|event| event.kind != "call.labelled");
    let told = |seq, at_ms, data| Happened { seq, at_ms, kind: "call.labelled".to_owned(), data };
    details.events.insert(0, told(901, 100, serde_json::json!({"queue": "billing"})));
    details.events.insert(1, told(902, 900, serde_json::json!({"queue": "billing", "tier": "gold"})));
    details.events.insert(
        2,
        told(903, 1_800, serde_json::json!({"queue": "billing", "tier": "gold", "agent": "2001"})),
    );
    details.events.push(told(
        904,
        90_000,
        serde_json::json!({"queue": "billing", "tier": "gold", "agent": "2002"}),
    ));
    let page = call(&shell(Language::En, "Maria"), &details, &Own::default());
    assert_eq!(page.matches("Labels: ").count(), 2, "{page}");
    assert!(page.contains("billing, gold, 2001") && page.contains("billing, gold, 2002"));
}

#[test]
fn a_host_that_was_never_heard_is_not_called_up() {
    let page = made_up::operations(false, "carrier", |it| operations(&shell(Language::En, "Otto"), it));
    assert!(page.contains("no answer yet"));
}

#[test]
fn remarks_are_in_the_readers_language() {
    let german = made_up::compliance(false, "x", |it| compliance(&shell(Language::De, "Otto"), it));
    assert!(
        german.contains("Belege werden ohne Ende aufbewahrt")
            && !german.contains("receipts are kept for ever")
    );
    assert!(german.contains("<li lang=\"en\">a remark without a text of the pages"));
}
