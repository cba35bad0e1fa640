//! Writes every page with made-up calls into a folder, to be looked at:
//! `cargo run -p sidetone-pages --example preview -- FOLDER`. Serve the folder, for pages load their style by an
//! absolute path: `python3 -m http.server --directory FOLDER`.

#![allow(clippy::print_stdout, clippy::indexing_slicing)]

#[path = "preview/made_up.rs"]
mod made_up;

use std::path::Path;

use sidetone_pages::{
    CallList, CallsQuery, Figures, FiguresQuery, Language, LiveCall, Own, QueryFault, Section, Shell, SignIn,
    SignInFault, WallQuery, WallView, assets, call, calls, compliance, figures, figures_csv, operations,
    problem, sign_in, wall,
};
use sidetone_store::{KeptFilter, Role};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "preview".to_owned());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("assets"))?;
    for asset in assets() {
        std::fs::write(folder.join(asset.path.trim_start_matches('/')), asset.bytes)?;
    }
    let live = made_up::live();
    let live: Vec<LiveCall<'_>> =
        live.iter().map(|details| LiveCall { call: &details.call, points: &details.affect }).collect();
    let list = made_up::list();
    let (trunks, labels) = (made_up::trunks(), made_up::labels());
    let as_list = WallQuery { view: WallView::List, ..WallQuery::default() };
    let days = made_up::days();
    let anything = CallsQuery::default();
    let upset =
        CallsQuery { outcome: "upset".to_owned(), trunk: "carrier-north".to_owned(), ..anything.clone() };
    let cursor = list.last().map(sidetone_store::Call::cursor);
    let usual = FiguresQuery::default();
    for language in Language::ALL {
        let shell = Shell {
            language,
            here: "/live.html",
            base: "",
            name: Some("Maria Keller"),
            role: Some(Role::Supervisor),
            sections: Section::of(Role::Supervisor),
            csrf: "made-up",
            now: made_up::NOW,
        };
        let outside = Shell { name: None, role: None, sections: &[] as &[Section], ..shell };
        let filter = |name: &str, query: &str| KeptFilter { name: name.to_owned(), query: query.to_owned() };
        let filters =
            [filter("Upset today", "?outcome=upset"), filter("Gold, worse", "?tier=gold&outcome=declined")];
        let rows = |rows, query, fault, next| CallList {
            noted: &[],
            moments: &[],
            rows,
            trunks: &trunks,
            labels: &labels,
            query,
            fault,
            filters: &filters,
            next,
            looked_back_to: None,
        };
        let wrong = SignIn {
            fault: Some(SignInFault::Password),
            password: true,
            name: "maria.keller",
            next: "/live",
            ..SignIn::default()
        };
        let year = FiguresQuery {
            from: "2026-03-01".to_owned(),
            until: "2026-11-29".to_owned(),
            ..FiguresQuery::default()
        };
        let pages = [
            ("live", wall(&shell, &live, &WallQuery::default(), Some("/live/events"))),
            ("live-list", wall(&shell, &live, &as_list, None)),
            ("live-empty", wall(&shell, &[], &WallQuery::default(), None)),
            ("calls", calls(&shell, &rows(&list, &anything, None, cursor.as_ref()))),
            ("calls-none", calls(&shell, &rows(&[], &upset, Some(QueryFault::Number), None))),
            ("call", call(&shell, &made_up::upset_call(), &Own::default())),
            ("call-up", call(&shell, &made_up::call_that_is_up(), &Own::default())),
            ("call-erased", call(&shell, &made_up::erased_call(), &Own::default())),
            ("figures", figures(&shell, &Figures::of(&days, &usual, made_up::NOW))),
            ("figures-long", figures(&shell, &Figures::of(&days, &year, made_up::NOW))),
            ("figures-none", figures(&shell, &Figures::of(&[], &usual, made_up::NOW))),
            ("operations", made_up::operations(false, "carrier", |it| operations(&shell, it))),
            ("operations-ill", made_up::operations(true, "carrier", |it| operations(&shell, it))),
            ("compliance", made_up::compliance(false, "Maria Keller", |it| compliance(&shell, it))),
            ("compliance-ill", made_up::compliance(true, "Maria Keller", |it| compliance(&shell, it))),
            ("compliance-none", made_up::compliance_of_nothing(|it| compliance(&shell, it))),
            ("sign-in", sign_in(&outside, &wrong)),
            ("problem", problem(&outside, 503, Some("the store has not answered for 10 s"))),
            ("forbidden", problem(&shell, 403, None)),
        ];
        for (name, html) in pages {
            println!("{name}.{}.html: {} bytes", language.code(), html.len());
            std::fs::write(folder.join(format!("{name}.{}.html", language.code())), html)?;
        }
        let csv = figures_csv(&shell, &Figures::of(&days, &usual, made_up::NOW));
        std::fs::write(folder.join("figures.csv"), csv)?;
    }
    Ok(())
}
