//! The files that name those who are not listened to: begun where there is none, missed where there was one.

use sidetone_scenarios::net::Net;
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};

#[test]
fn a_list_that_was_never_begun_is_no_obstacle_and_one_that_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let lists = ["do-not-analyse", "agent-numbers"].map(|name| folder.path().join(name));
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = format!("[consent]\ndo_not_analyse = {:?}\nagent_numbers = {:?}\n", lists[0], lists[1]);
    let mut sidetone = Sidetone::start(&net, &setup);
    assert!(sidetone.process().output().contains("there was no list; an empty one has been begun"));
    for list in &lists {
        let arguments = ["consent", "exclude", "+1 555-0100", "--list", list.to_str().unwrap()];
        let done = std::process::Command::new(binary()).args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    sidetone.command(&["reload"]);
    std::fs::remove_file(&lists[0]).unwrap();
    let refused = sidetone.try_command(&["reload"]).unwrap_err().stderr;
    assert!(refused.contains("do-not-analyse is gone; restore it"), "{refused}");
    assert!(!lists[0].exists(), "it is not begun anew");
    std::fs::write(&lists[0], "half a li").unwrap();
    let refused = sidetone.try_command(&["reload"]).unwrap_err().stderr;
    assert!(refused.contains("is no list of numbers"), "{refused}");
    sidetone.finish();
}
