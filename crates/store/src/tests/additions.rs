//! What is added to calls from outside, and who may see it.

use sidetone_call::Label;

use crate::access::{NewToken, Token};
use crate::added::{Added, CallOutcome, NotAdded, Survey};
use crate::invitations::Invited;
use crate::notes::{NewNote, NoteKind, Noted};
use crate::query::{CallFilter, Grouping};
use crate::store::Store;
use crate::testing::{append, at, feed, hasher, narrator, on_each, spool};
use crate::{Role, StoreError, Table};

use super::DAY_MS;
use super::labels::{labelled, labels};

/// A store with a call of each of two agents, and their ids.
fn two_agents(config: &crate::StoreConfig, folder: &std::path::Path) -> (Store, [String; 2]) {
    let mut spool = spool(folder);
    append(&mut spool, labelled(&mut narrator(1, 0), labels("billing", "2001", "north", "")));
    append(&mut spool, labelled(&mut narrator(2, 1_000), labels("billing", "2002", "north", "")));
    let mut store = Store::create(config).unwrap();
    feed(&mut store, &spool);
    let of = |store: &mut Store, agent: &str| {
        let filter = CallFilter { agent: Some(agent.to_owned()), ..CallFilter::default() };
        store.calls(&filter, 2).unwrap().remove(0).id
    };
    let ids = [of(&mut store, "2001"), of(&mut store, "2002")];
    (store, ids)
}

fn agent(store: &mut Store, label: &str) -> Token {
    let label: Label = label.parse().unwrap();
    store.create_agent_token(label.as_str(), &label, None, at(0)).unwrap().token
}

fn of_role(store: &mut Store, role: Role) -> Token {
    store.create_token(role.name(), role, None, at(0)).unwrap().token
}

fn note(kind: NoteKind, at_ms: Option<u64>, text: &str) -> NewNote {
    NewNote { kind, at_ms, text: text.to_owned() }
}

#[test]
fn an_agents_token_names_the_agent() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        assert!(matches!(store.create_token("a", Role::Agent, None, at(0)), Err(StoreError::Agent)));
        let label = "2001".parse().unwrap();
        let NewToken { secret, token } = store.create_agent_token("Ada", &label, None, at(0)).unwrap();
        assert_eq!((token.role, token.agent.as_deref()), (Role::Agent, Some("2001")));
        assert_eq!(store.token(&secret, at(1)).unwrap().unwrap(), token);
        let (session, _) = store.sign_in(&secret, at(1)).unwrap().unwrap();
        assert_eq!(store.session(&session, at(120_000)).unwrap().unwrap(), token);
    });
}

#[test]
fn agents_see_their_own_calls_and_no_others() {
    on_each(|config, folder| {
        let (mut store, [own, others]) = two_agents(config, folder);
        let ada = agent(&mut store, "2001");
        let any = CallFilter::default();
        let seen = |store: &mut Store, token: &Token, filter: &CallFilter| -> Vec<String> {
            let part = store.seen_by(token).calls(filter, 100, at(0)).unwrap();
            part.calls.into_iter().map(|call| call.id).collect()
        };
        assert_eq!(seen(&mut store, &ada, &any), [own.as_str()]);
        let theirs = CallFilter { agent: Some("2002".to_owned()), ..any.clone() };
        assert_eq!(seen(&mut store, &ada, &theirs), [""; 0], "no filter widens what may be seen");
        assert!(store.seen_by(&ada).call(&own, at(0)).unwrap().is_some());
        assert!(store.seen_by(&ada).call(&others, at(0)).unwrap().is_none());
        assert!(store.seen_by(&ada).call(&format!("{own}\0"), at(0)).unwrap().is_none());
        assert!(store.seen_by(&ada).notes(&others, at(0)).unwrap().is_none());
        assert!(store.seen_by(&ada).self_note(&others, at(0)).unwrap().is_none());
        let written = store.seen_by(&ada).write_self_note(&others, "x", at(0)).unwrap();
        assert_eq!(written, Ok(Added::NoCall));
        let noted = store.accesses(100, None).unwrap();
        let count = |action: &str, id: &str| {
            noted.iter().filter(|it| it.action == action && it.subject == id && it.token == ada.id).count()
        };
        assert_eq!((count("call.read", &own), count("call.read", &others)), (1, 0));
        assert_eq!(count("call.refused", &others), 4, "{noted:?}");

        let lead = of_role(&mut store, Role::Supervisor);
        assert_eq!(seen(&mut store, &lead, &theirs), [others]);
        let looked = |it: &crate::Access| it.action == "calls.of_agent" && it.subject == "2002";
        assert_eq!(store.accesses(100, None).unwrap().iter().filter(|it| looked(it)).count(), 1);

        for (role, sees) in
            [(Role::Supervisor, 2), (Role::Integration, 2), (Role::Director, 0), (Role::Operator, 0)]
        {
            let token = of_role(&mut store, role);
            assert_eq!(seen(&mut store, &token, &any).len(), sees, "{role:?}");
            assert_eq!(store.seen_by(&token).call(&own, at(0)).unwrap().is_some(), sees > 0, "{role:?}");
        }
        // An agent without a label sees nobody's calls, and not those without an agent.
        let nameless = Token { agent: None, ..ada };
        assert_eq!(seen(&mut store, &nameless, &any), [""; 0]);
    });
}

#[test]
fn outcomes_and_surveys_are_kept_counted_and_erased_with_the_call() {
    on_each(|config, folder| {
        let (mut store, [first, second]) = two_agents(config, folder);
        let crm = of_role(&mut store, Role::Integration);
        let outcome = CallOutcome {
            resolved: Some(true),
            escalated: Some(true),
            reason: Some("refund; '--".to_owned()),
        };
        let survey =
            Survey { empathy: Some(4), resolved: Some(false), comment: Some("<b>Danke</b>".to_owned()) };
        let posted = |store: &mut Store, id: &str| {
            (
                store.seen_by(&crm).add_outcome(id, &outcome, at(0)).unwrap(),
                store.seen_by(&crm).add_survey(id, &survey, at(0)).unwrap(),
            )
        };
        assert_eq!(posted(&mut store, &first), (Added::Done, Added::Done));
        assert_eq!(posted(&mut store, &first), (Added::Done, Added::Done), "once more, in its place");
        assert_eq!(posted(&mut store, "nobody"), (Added::NoCall, Added::NoCall));
        assert_eq!(posted(&mut store, "x@y"), (Added::Several, Added::Several), "both have that Call-ID");
        let alone = Survey { empathy: Some(2), ..Survey::default() };
        assert_eq!(store.seen_by(&crm).add_survey(&second, &alone, at(0)).unwrap(), Added::Done);
        let director = of_role(&mut store, Role::Director);
        assert_eq!(store.seen_by(&director).add_survey(&second, &alone, at(0)).unwrap(), Added::NoCall);

        let details = store.call(&first).unwrap().unwrap();
        assert_eq!((details.outcome.as_ref(), details.survey.as_ref()), (Some(&outcome), Some(&survey)));
        store.sum_stale_days().unwrap();
        let [day] = store.days_by(Grouping::Team, 0, u64::MAX).unwrap().try_into().unwrap();
        assert_eq!((day.outcomes, day.escalated, day.settled, day.resolved), (1, 1, 1, 1));
        assert_eq!((day.surveys, day.empathy_sum, day.empathy_squares), (2, 6.0, 20.0));

        let mut export = Vec::new();
        assert_eq!(store.export(Table::Outcomes, &mut export).unwrap(), 1);
        assert_eq!(store.export(Table::Surveys, &mut export).unwrap(), 2);
        assert!(String::from_utf8(export).unwrap().contains("Danke"));
        store.erase_number(&hasher().hash("+4930123456789").unwrap(), at(DAY_MS)).unwrap();
        let mut left = Vec::new();
        for table in [Table::Outcomes, Table::Surveys, Table::Notes] {
            assert_eq!(store.export(table, &mut left).unwrap(), 0);
        }
        assert!(store.call(&first).unwrap().is_none());
    });
}

#[test]
fn a_supervisors_notes_are_for_the_calls_agent() {
    on_each(|config, folder| {
        let (mut store, [first, second]) = two_agents(config, folder);
        let (lead, ada) = (of_role(&mut store, Role::Supervisor), agent(&mut store, "2001"));
        let written = note(NoteKind::Empathy, Some(61_000), " You took the time. ");
        let Noted::Done(kept) = store.seen_by(&lead).add_note(&first, &written, at(100_000)).unwrap() else {
            panic!()
        };
        assert_eq!((kept.text.as_str(), kept.by.as_str()), ("You took the time.", "supervisor"));
        let seen = store.seen_by(&ada).notes(&first, at(0)).unwrap().unwrap();
        assert_eq!(seen, std::slice::from_ref(&kept));
        assert_eq!(store.seen_by(&ada).call(&first, at(0)).unwrap().unwrap().notes, [kept]);
        let add = |store: &mut Store, token: &Token, id: &str, new: &NewNote| {
            store.seen_by(token).add_note(id, new, at(100_000)).unwrap()
        };
        for (wrong, why) in [
            (note(NoteKind::Note, None, " "), NotAdded::Text),
            (note(NoteKind::Note, None, "a\u{1}"), NotAdded::Text),
            (note(NoteKind::Note, None, &"ü".repeat(2_001)), NotAdded::Text),
            (note(NoteKind::Coaching, None, "x"), NotAdded::NoMoment),
            (note(NoteKind::Coaching, Some(90_001), "x"), NotAdded::Moment),
            (note(NoteKind::Note, Some(u64::MAX), "x"), NotAdded::Moment),
        ] {
            assert_eq!(add(&mut store, &lead, &first, &wrong), Noted::Wrong(why), "{wrong:?}");
        }
        let plain = note(NoteKind::Note, None, "x");
        assert_eq!(add(&mut store, &ada, &first, &plain), Noted::Not(Added::NoCall), "supervisors' alone");
        assert_eq!(add(&mut store, &lead, "nobody", &plain), Noted::Not(Added::NoCall));
        for _ in 0..100 {
            assert!(matches!(add(&mut store, &lead, &second, &plain), Noted::Done(_)));
        }
        assert_eq!(add(&mut store, &lead, &second, &plain), Noted::Not(Added::Full));
    });
}

#[test]
fn what_agents_note_for_themselves_nobody_else_reads() {
    const SECRET: &str = "I should have let them finish";
    on_each(|config, folder| {
        let (mut store, [own, others]) = two_agents(config, folder);
        let (ada, ben) = (agent(&mut store, "2001"), agent(&mut store, "2002"));
        assert_eq!(store.seen_by(&ada).self_note(&own, at(0)).unwrap(), Some(None));
        for text in ["first", SECRET] {
            assert_eq!(store.seen_by(&ada).write_self_note(&own, text, at(5)).unwrap(), Ok(Added::Done));
        }
        let wrong = store.seen_by(&ada).write_self_note(&own, "\n", at(5)).unwrap();
        assert_eq!(wrong, Err(NotAdded::Text));
        let note = store.seen_by(&ada).self_note(&own, at(0)).unwrap().unwrap().unwrap();
        assert_eq!(note.text, SECRET);
        assert_eq!(store.seen_by(&ben).self_note(&own, at(0)).unwrap(), None);
        assert_eq!(store.seen_by(&ben).self_note(&others, at(0)).unwrap(), Some(None));
        for role in [Role::Supervisor, Role::Director, Role::Operator, Role::Integration] {
            let token = of_role(&mut store, role);
            assert_eq!(store.seen_by(&token).self_note(&own, at(0)).unwrap(), None, "{role:?}");
            let details = format!("{:?}", store.seen_by(&token).call(&own, at(0)).unwrap());
            assert!(!details.contains(SECRET), "{role:?}");
        }
        let mut tables = Vec::new();
        for table in Table::ALL {
            store.export(table, &mut tables).unwrap();
        }
        assert!(!String::from_utf8(tables).unwrap().contains(SECRET));
        assert!(!format!("{:?}", store.accesses(100, None).unwrap()).contains(SECRET));
        store.erase_number(&hasher().hash("+4930123456789").unwrap(), at(DAY_MS)).unwrap();
        assert!(store.database.query("SELECT text FROM self_notes", &[]).unwrap().is_empty());
    });
}

#[test]
fn what_is_added_is_bounded() {
    let outcome = |reason: &str| CallOutcome { reason: Some(reason.to_owned()), ..CallOutcome::default() };
    assert_eq!(CallOutcome::default().check(), Err(NotAdded::Empty));
    for reason in ["", " ", "a\nb", &"x".repeat(65)] {
        assert_eq!(outcome(reason).check(), Err(NotAdded::Reason), "{reason:?}");
    }
    assert_eq!(outcome(&"ü".repeat(64)).check(), Ok(()));
    let survey =
        |empathy, comment: &str| Survey { empathy, comment: Some(comment.to_owned()), resolved: None };
    assert_eq!(Survey::default().check(), Err(NotAdded::Empty));
    for empathy in [0, 6, 255] {
        assert_eq!(survey(Some(empathy), "x").check(), Err(NotAdded::Empathy));
    }
    for comment in ["", " \n", "a\0", "\u{1b}[31m", &"x".repeat(2_001)] {
        assert_eq!(survey(None, comment).check(), Err(NotAdded::Text), "{comment:?}");
    }
    assert_eq!(survey(Some(5), &"\u{1f600}\r\n\t".repeat(500)).check(), Ok(()));
}

#[test]
fn filters_are_kept_for_one_person_and_are_few() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let now = at(0);
        let [maria, otto] = ["Maria", "Otto"]
            .map(|name| store.create_token(name, Role::Supervisor, None, now).unwrap().token);
        let name = |text: &str| text.parse::<Label>().unwrap();
        assert!(store.seen_by(&maria).keep_filter(&name("upset"), "?outcome=upset").unwrap());
        assert!(store.seen_by(&maria).keep_filter(&name("upset"), "?outcome=upset&queue=billing").unwrap());
        let kept = store.seen_by(&maria).filters().unwrap();
        assert_eq!((kept.len(), kept[0].query.as_str()), (1, "?outcome=upset&queue=billing"));
        assert_eq!(store.seen_by(&otto).filters().unwrap(), []);
        store.seen_by(&otto).forget_filter("upset").unwrap();
        for number in 0..30 {
            let room = store.seen_by(&maria).keep_filter(&name(&format!("{number}")), "?x=1").unwrap();
            assert_eq!(room, number < 19, "{number}");
        }
        assert!(!store.seen_by(&maria).keep_filter(&name("0"), &"x".repeat(5_000)).unwrap());
        store.seen_by(&maria).forget_filter("upset").unwrap();
        assert_eq!(store.seen_by(&maria).filters().unwrap().len(), 19);
    });
}

#[test]
fn a_caller_answers_by_a_link_once_and_for_one_call() {
    on_each(|config, folder| {
        let (mut store, [own, others]) = two_agents(config, folder);
        let crm = of_role(&mut store, Role::Integration);
        assert_eq!(store.seen_by(&crm).invite("nobody", at(0)).unwrap(), Err(Added::NoCall));
        let link = store.seen_by(&crm).invite(&own, at(0)).unwrap().unwrap();
        let secret = link.path.strip_prefix("/survey/").unwrap();
        assert_eq!((secret.len(), link.expires), (64, at(7 * DAY_MS).unix_millis()));
        let of = |empathy| Survey {
            empathy: Some(empathy),
            comment: Some("Danke".to_owned()),
            ..Survey::default()
        };
        for wrong in ["", "0", &"0".repeat(64), &secret.to_uppercase()] {
            assert_eq!(store.answer_invitation(wrong, &of(1), at(5)).unwrap(), Invited::Gone, "{wrong}");
        }
        assert_eq!(store.invited(secret, at(5)).unwrap(), Invited::Open);
        assert_eq!(store.answer_invitation(secret, &of(5), at(5)).unwrap(), Invited::Open);
        assert_eq!(store.answer_invitation(secret, &of(1), at(6)).unwrap(), Invited::Answered);
        assert_eq!(store.invited(secret, at(6)).unwrap(), Invited::Answered);
        assert_eq!(store.call(&own).unwrap().unwrap().survey, Some(of(5)));
        assert_eq!(store.call(&others).unwrap().unwrap().survey, None);
        store.sum_stale_days().unwrap();
        let days = store.days_by(Grouping::Team, 0, u64::MAX >> 1).unwrap();
        assert_eq!(days.iter().map(|day| day.surveys).sum::<u64>(), 1);
        // A link is for some days.
        let link = store.seen_by(&crm).invite(&others, at(0)).unwrap().unwrap();
        let secret = link.path.strip_prefix("/survey/").unwrap();
        let late = at(7 * DAY_MS);
        assert_eq!(store.answer_invitation(secret, &of(5), late).unwrap(), Invited::Gone);
        store.expire_access(late).unwrap();
        assert_eq!(store.database.query("SELECT 1 FROM invitations", &[]).unwrap().len(), 0);
        // The secret itself is kept nowhere.
        let link = store.seen_by(&crm).invite(&own, at(0)).unwrap().unwrap();
        let kept = store.database.query("SELECT digest FROM invitations", &[]).unwrap();
        assert!(!link.path.contains(&kept[0].text(0).unwrap()));
    });
}

#[test]
fn a_list_tells_which_of_its_calls_have_notes_and_an_agents_tells_of_no_other() {
    on_each(|config, folder| {
        let (mut store, [own, others]) = two_agents(config, folder);
        let lead = of_role(&mut store, Role::Supervisor);
        for (id, kind) in [
            (&own, NoteKind::Empathy),
            (&own, NoteKind::Empathy),
            (&own, NoteKind::Coaching),
            (&others, NoteKind::Note),
        ] {
            let noted = store.seen_by(&lead).add_note(id, &note(kind, Some(1), "x"), at(5_000)).unwrap();
            assert!(matches!(noted, Noted::Done(_)), "{noted:?}");
        }
        let calls = store.calls(&CallFilter::default(), 10).unwrap();
        let ada = agent(&mut store, "2001");
        let mine = [(own.clone(), NoteKind::Coaching), (own, NoteKind::Empathy)];
        assert_eq!(store.seen_by(&ada).noted(&calls).unwrap(), mine);
        assert_eq!(store.seen_by(&lead).noted(&calls).unwrap().len(), 3);
        assert_eq!(store.seen_by(&lead).noted(&[]).unwrap(), []);
    });
}
