//! Whatever stands in a file or a header, it is read in peace.

use proptest::prelude::*;
use sidetone_consent::fuzz;

proptest! {
    #[test]
    fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::line(&data);
        fuzz::list(&data);
        fuzz::number(&data);
        fuzz::told(&data);
    }

    #[test]
    fn nearly_a_number(text in "(sip:|tel:)?[+0-9 ()%/.-]{0,24}(@[a-z.]{0,8})?(;[a-z=]{0,8})?") {
        fuzz::number(text.as_bytes());
    }

    #[test]
    fn nearly_a_list(
        salt in "[0-9a-f]{31,33}",
        check in "[0-9a-f]{63,65}",
        rest in "[0-9a-f #\\n]{0,200}",
    ) {
        let text = format!("sidetone-do-not-analyse 1 salt={salt} keyed=no check={check}\n{rest}");
        fuzz::list(text.as_bytes());
    }

    #[test]
    fn nearly_told(name in "(consent|queue|tier|analysis|party|accept)", value in "[a-z0-9;,=.\\x00-\\x1f*-]{0,120}") {
        fuzz::told(format!("{name}:{value}").as_bytes());
    }
}
