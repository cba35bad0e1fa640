//! The words that the rules know, each with the lists that it is in. Words stand as [`fold`](super::token) leaves them:
//! small letters, ä as ae, ß as ss, no apostrophes.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::tongue::Language;

/// A set of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(u64);

impl Flags {
    pub(super) const NONE: Self = Self(0);

    const fn bit(index: u32) -> Self {
        Self(1 << index)
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of `other` alone.
    pub(super) const fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Words that stand between the digits of one number when it is spoken.
pub(super) const FILLER: Flags = Flags::bit(0);
/// Words between a cue and what it announces: is, was, number.
pub(super) const LINK: Flags = Flags::bit(1);
/// Words that are no name, no password and no part of an address: articles, pronouns, verbs, common adjectives.
pub(super) const STOP: Flags = Flags::bit(2);
/// Units of an amount.
pub(super) const UNIT: Flags = Flags::bit(3);
/// Words before an amount: for, about, costs.
pub(super) const AMOUNT: Flags = Flags::bit(4);
pub(super) const MONTH: Flags = Flags::bit(5);
/// third, 21st, dritten: a day or a month by its number.
pub(super) const ORDINAL: Flags = Flags::bit(6);
/// Kinds of street that are little else.
pub(super) const STREET: Flags = Flags::bit(7);
/// Kinds of street that are common words too: way, close.
pub(super) const SOFT_STREET: Flags = Flags::bit(8);
/// Mr, Frau.
pub(super) const TITLE: Flags = Flags::bit(9);
pub(super) const BIRTH: Flags = Flags::bit(10);
pub(super) const SECRET: Flags = Flags::bit(11);
/// Secrets that are words: password.
pub(super) const PASSWORD: Flags = Flags::bit(12);
/// account, order, reference.
pub(super) const NUMBER: Flags = Flags::bit(13);
pub(super) const PHONE: Flags = Flags::bit(14);
pub(super) const CARD: Flags = Flags::bit(15);
pub(super) const ID: Flags = Flags::bit(16);
pub(super) const IBAN: Flags = Flags::bit(17);
pub(super) const ADDRESS: Flags = Flags::bit(18);
pub(super) const DOT: Flags = Flags::bit(19);
pub(super) const AT: Flags = Flags::bit(20);
/// Signs in an e-mail's address, spoken: underscore, dash.
pub(super) const JOINER: Flags = Flags::bit(21);
/// The end of a domain.
pub(super) const TLD: Flags = Flags::bit(22);
/// Mail providers that are named without their domain's end.
pub(super) const PROVIDER: Flags = Flags::bit(23);
/// Words that spell a letter: alpha, dora.
pub(super) const SPELLING: Flags = Flags::bit(24);
/// flat, apartment: a part of a postal address with a number.
pub(super) const DWELLING: Flags = Flags::bit(25);
/// States of the USA in two letters.
pub(super) const STATE: Flags = Flags::bit(26);
/// Words that make a street of the words before a number: am, in der.
pub(super) const PLACE_PREPOSITION: Flags = Flags::bit(27);
/// First names that are hardly anything else.
pub(super) const FIRST_NAME: Flags = Flags::bit(28);
/// Words that a name follows: name, heisse.
pub(super) const NAME: Flags = Flags::bit(29);
/// daughter, colleague: a name may follow.
pub(super) const RELATION: Flags = Flags::bit(34);
/// email: an address follows.
pub(super) const MAIL: Flags = Flags::bit(36);
/// Names that are common words too: after a cue.
pub(super) const MAYBE_NAME: Flags = Flags::bit(35);
/// my, your, the: before a title in German they say that it is none.
pub(super) const OWNER: Flags = Flags::bit(30);
/// Something that follows a password or PIN in place of its value: forgotten, wrong.
pub(super) const STATE_OF: Flags = Flags::bit(31);
/// Words for dates and times before a year: in, since, until.
pub(super) const SINCE: Flags = Flags::bit(32);
/// What belongs to names: van, de, von, junior.
pub(super) const PARTICLE: Flags = Flags::bit(33);

type Lists = &'static [(Flags, &'static str)];

/// Lists of both languages.
const COMMON: Lists = &[
    (STOP, "least most monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag
        samstag sonntag sonnabend"),
    (FILLER, "nbsp"),
    (MAIL, "email mail emailadresse mailadresse"),
    (TITLE, "med phil rer ing habil dipl"),
    (PASSWORD, "geheimwort losung codewort"),
    (FIRST_NAME, "jens arnd soeren kai knut ole malte finn lasse jannis mia lina nele aylin kemal mustafa fatma emre murat
        elif schorsch mehmet ayhan hakan oezlem zeynep hatice yasin dilara agnieszka andrzej katarzyna krzysztof piotr
        tomasz oksana olena dmitri nikolai tatiana anastasia giuseppe alessandra paolo lucia chiara matteo jorge pedro
        isabella santiago diego mateo valentina camila xavier guillaume thierry brigitte francois fatoumata amara kwame
        chinedu ngozi oluwaseun adaeze priyanka rahul arjun deepak anjali sanjay vijay lakshmi mei xiu hiroshi yuki
        kenji sakura minh linh thuy nguyen ahmad yasmin layla karim nadia samira tariq zahra bartholomew tanisha latoya
        jamal darnell tyrone keisha siobhan aoife niamh cillian eoin padraig rhys gwen angharad hamish fergus brandon
        jayden mckenzie madison mackenzie kaylee brittany courtney lindsey heidi gretchen"),
    (PASSWORD, "pw username memorable benutzername nutzername anmeldename"),
    (CARD, "expiry expiration ablaufdatum"),
    (ID, "tax medicare medicaid"),
    (NAME, "geburtsname maedchenname"),
    (FILLER, "uh um ähm hm hmm mhm ok okay eh er erm ah x"),
    (UNIT, "eur euro euros usd gbp chf cent cents kg g km m cm mm gb mb tb kb mbit gbit mbps ghz mhz kwh kw mah ml l
        mg lb lbs oz hz hr hrs yr yrs yo ish mph kmh psi ft sq fps hp rpm dpi am pm h min sec ms inch px p k mio mrd"),
    (PHONE, "fax mobile sms whatsapp tel"),
    (CARD, "visa mastercard maestro amex girocard kreditkarte"),
    (SECRET, "pin cvv cvc cvc2 cvv2 pincode otp tan mtan puk cvn"),
    (IBAN, "iban bic swift"),
    (NUMBER, "account code order ticket nr no"),
    (ID, "ssn"),
    (DOT, "dot punkt period"),
    (PHONE, "extension ext durchwahl"),
    (TITLE, "herrn"),
    (AT, "at aet klammeraffe"),
    (JOINER, "underscore dash hyphen minus strich bindestrich unterstrich tiefstrich plus slash"),
    (TLD, "com net org de uk io eu info at ch ie us ca au edu gov biz me tv test example invalid fr nl it es co pl"),
    (PROVIDER, "gmail googlemail yahoo hotmail outlook gmx icloud aol protonmail proton tonline freenet webde
        posteo msn live web btinternet comcast"),
    (SPELLING, "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november
        oscar papa quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu"),
    (TITLE, "mr mrs ms mx mister missus herr frau dr prof doctor doktor professor fraeulein fräulein hr fr"),
    (MAYBE_NAME, "till jan roger ben kim chelsea victoria virginia norman leo lea toni iris ross roman carol ali ken mark will bill rose grace may april june jack frank max art ray pat sue bob jim joe sam rob ron don
        dawn hope faith joy lily ivy holly amber ruby jade summer autumn drew chase dean grant miles rich victor guy
        dick harry penny daisy heather jo al ed ted ernst wolf stern angel christian jean kay robin summer"),
    (FIRST_NAME, "aaron abigail adam adrian agnes ahmed aisha alan albert alessandro alexander alexandra alexis alfred 
        alice alicia alina alison allison amanda amelia amir amy ana andre andrea andreas andrew angelika angelina
        angus anita anja anke anna anne annette anneliese annika anthony antonia antonio arthur arne ashley astrid
        audrey axel ayse barbara beate beatrice  benedikt benjamin bernard bernd bernhard bettina betty beverly
        bianca birgit bjoern boris brandon brenda brian bridget brigitte britta bruce bruno bryan burkhard cameron
        camilla carina carla carlos carmen  carole caroline carolin carsten catherine cathy cecilia celine
        charles charlotte  cheryl chloe chris christa  christiana christiane christina christine
        christof christoph christopher cindy claire clara claudia claus clemens connor constanze cornelia craig cynthia
        dagmar daisy dan daniel daniela danielle danny darren dave david  deborah debbie denise dennis derek
        detlef diana diane dieter dietmar dirk dominic dominik donald donna doreen doris dorothea dorothy douglas
        duncan dylan eberhard eddie edgar edith edward eileen elaine eleanor elena elfriede elias elisabeth elizabeth
        elke ella ellen elmar emil emily emma enrico eric erich erik erika erin erwin esther ethan eugen eva evelyn
        fabian fatima felicitas felix fernando fiona florian frances francis francesca frauke fred frederick friedrich
        frieda fritz gabriele gabriel gareth gary gavin geoffrey georg george gerald gerd gerda gerhard gertrud gisela
        giovanni giulia gordon graham greg gregor gregory gudrun guenter guenther guido gustav hannah hannelore hannes
        hans harald harold harriet hartmut hassan heather hedwig heidi heike heiko heinrich heinz helen helena helene
        helga helmut henning henrik henry herbert hermann hilde hildegard holger horst howard hubert hugo ibrahim
        ian igor ilona ilse imke inga inge ingeborg ingo ingrid irene  irina isabel isabella isabelle ivan ivonne
        jacqueline jacob jakob james jamie  jana jane janet janice janina jannik jasmin jason javier  jeff
        jeffrey jenna jennifer jenny jeremy jerry jessica jill joachim joan joanna joanne jochen joerg joel johann
        johanna johannes john johnny jonas jonathan jose josef josefine joseph joshua joyce juan judith judy juergen
        julia julian julie juliane justin jutta karen karin karl karla karsten katharina kathleen kathrin katie katja
        katrin  keith kelly  kenneth kerstin kevin khalid  kimberly kirsten klara klaus konrad konstantin
        kristin kristina kurt kyle larry lars laura lauren  leah lena  leon leonard leonie leslie lilian lilly
        linda lindsay linus lisa lorenz lothar louis louisa louise luca lucas lucia lucy ludwig luis luisa lukas lutz
        lydia lynn maike malcolm manfred manuel manuela marc marcel marcus margaret margarete margit maria marian
        marianne marie mario marion marius markus marlene marlies marta martha martin martina marvin mary mathias
        mathilda matthew matthias maureen maurice maximilian megan mehmet melanie melissa michael michaela michelle
        miguel mike miriam mohamed mohammed mohammad monika monica moritz muhammad mustafa nadine nadja nancy naomi
        natalie natascha nathan neil niall nicholas nick nicola nicole niels nigel niklas nils nina noah nora norbert
         olaf oliver olivia omar oskar oscar owen pamela pascal patricia patrick paul paula pauline pedro peggy
        peter petra philip philipp philippa phillip phyllis priya rachel rainer ralf ralph ramona raphael raymond
        rebecca regina reinhard reinhold renate renee rene ricarda richard rita robert roberto robin rodney 
        roland rolf  ronald ronja rosemarie  roswitha roy rudolf ruediger rupert russell ruth ryan sabine
        sabrina samantha samuel sandra sandy sara sarah sascha saskia scott sean sebastian selina sergej shannon sharon
        sheila shirley siegfried sigrid silke silvia simon simone sofia sofie sonja sophia sophie stacey stanley
        stefan stefanie stephan stephanie stephen steve steven stuart susan susanne suzanne svenja sven svetlana
        sylvia tamara tania tanja tara tatjana ted teresa terry theodor theresa thomas thorsten tiffany  tim
        timothy tina tobias todd tom tommy  tony torben torsten tracy trevor tristan udo ulf ulrich ulrike ursula
        ute uwe valentin valerie vanessa vera verena veronica veronika  viktor viktoria vincent 
        vivian volker waltraud walter wendy werner wiebke wilfried wilhelm wolfgang wolfram yusuf yvonne yvette zoe"),
    (PARTICLE, "van de von der den zu la le di da del du bin al el ten ter jr sr mac mc o san st"),
];

const ENGLISH: Lists = &[
    (FILLER, "and then yes yeah yep right so sorry no wait correction sure dash hyphen minus slash space comma dot
        point followed by next again got it now let me see go ahead thats hold on please good great perfect alright well
        like just actually i mean stop um it is"),
    (LINK, "is was are the a an my your our its it thats that this number numbers code codes would be with as of on in
        ends ending end starts starting begins beginning last first four three digits digit for here heres to reads
        says said has have i and so um uh card account which called equals should still now currently actually okay
        ok long full whole new old one sixteen security verification"),
    (STOP, "i you he she it we they me him her us them my your his its our their mine yours this that these those a an
        the and or but if so because as while when where who whom whose what which why how not no nor yes never
        always often still already just only even very too also again then than there here now soon later today
        tomorrow yesterday am is are was were be been being do does did done doing have has had having can could
        will would shall should may might must need needs needed want wants wanted get gets got getting go goes
        going went gone come comes came coming make makes made take takes took say says said saying tell tells told
        ask asks asked asking know knows knew think thinks thought see sees saw look looks looked looking find found
        give gives gave call calls called calling speak speaks speaking spoke talk talking talked phone phoned
        email emailed write wrote written wrote send sends sent sending receive received pay paid pays paying buy
        bought order ordered cancel cancelled canceled change changed changing update updated work works worked
        working help helped helping try tried trying use used using please thanks thank sorry hello hi hey bye
        goodbye good bad great fine okay ok well right wrong sure happy sad angry upset unhappy glad afraid ready
        able unable about above across after against along among around at before behind below between by down
        during except for from in inside into like near of off on onto out outside over past per since through
        till to toward towards under until up upon with within without all any both each every few many more most
        much other others another some such none one two three four five six seven eight nine ten first second
        third last next same own new old long short big small high low different same
        im ive ill id youre youve youll hes shes its were weve well theyre theyve isnt arent wasnt werent dont
        doesnt didnt havent hasnt hadnt cant couldnt wont wouldnt shouldnt mustnt thats theres whats lets heres
        account number name address card bank money bill order password pin code problem issue contract service
        customer company team department line thing things time times day days week weeks month months year years
        really quite rather pretty actually probably maybe perhaps certainly definitely exactly directly
        spelled spelt misspelled misspelt written pronounced correct incorrect missing listed registered known
        trouble trying back away home house someone somebody anyone anybody everyone everybody nobody something
        anything everything nothing let put set keep kept left leave leaving lost died dead gone passed
        because however although though whether once online offline account shop shopped shopping signed logged
        log login reached reach site website store page mail
        supposed due waiting wait waited interested not under over"),
    (UNIT, "day days week weeks month months year years hour hours minute minutes second seconds time times
        dollar dollars pound pounds pence quid bucks percent per euro euros cent cents penny
        oclock a.m. p.m. million billion thousand hundred grand k people persons person customers items item
        boxes box bottles copies pieces piece pairs pair sets parts pages lines users devices phones cards accounts
        orders bills invoices payments instalments installments calls emails messages letters tickets
        kids children degrees miles mile metres meters feet foot inches kilos grams litres liters
        gigabytes gigabyte gigs megabytes megabits gigabit meg attempts attempt tries stars star points
        bedrooms bedroom rooms channels characters digits digit letters percentages weekdays working business
        nights night weekends others more less am pm of or"),
    (AMOUNT, "costs cost charged charge paid pay price worth fee total bill balance refund refunded"),
    (MONTH, "january february march april may june july august september october november december jan feb mar apr
        jun jul aug sep sept oct nov dec"),
    (ORDINAL, "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
        fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth"),
    (STREET, "street lane gardens grove st road rd avenue ave boulevard blvd crescent terrace mews highway hwy parkway pkwy"),
    (SOFT_STREET, "ln drive dr court ct place pl square sq close way hill row gardens park walk rise grove green
        view circle trail alley loop plaza quay wharf parade"),
    (TITLE, "miss sir madam lady lord rev reverend"),
    (NUMBER, "number numbers ends ending digits"),
    (SECRET, "security"),
    (LINK, "date back front rear side other reverse"),
    (BIRTH, "born birth birthday birthdate dob birthdays"),
    (SECRET, "passcode cvvs pins"),
    (PASSWORD, "password passwords passphrase passcode passwort pwd"),
    (NUMBER, "reference ref booking invoice policy contract membership member customer case claim tracking parcel
        serial meter registration reservation confirmation transaction subscriber client sort routing iban loyalty
        voucher licence license plate"),
    (PHONE, "phone telephone cell cellphone landline callback dial ring text"),
    (CARD, "card cards debit credit"),
    (ID, "insurance social passport nino nhs licence license ssn taxpayer identity national driving drivers"),
    (ADDRESS, "address live lives living reside residing postcode zip postal zipcode"),
    (PLACE_PREPOSITION, ""),
    (DWELLING, "flat apartment apt unit suite floor room house"),
    (STATE, "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh
        ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc"),
    (NAME, "name names surname forename"),
    (RELATION, "holder cardholder accountholder policyholder passenger patient applicant"),
    (OWNER, "the my your his her our their a an another every no this that"),
    (STATE_OF, "forgotten forgot wrong incorrect invalid expired blocked locked reset working correct weak strong
        compromised stolen hacked gone lost missing required needed protected case sensitive changed rejected accepted
        denied refused long short secure unsafe hidden saved stored shown displayed anymore different easy hard
        manager field box screen page link email mail recovery protection"),
    (RELATION, "daughter son husband wife brother sister mother father partner colleague friend neighbour neighbor
        cousin aunt uncle nephew niece boyfriend girlfriend manager supervisor agent technician engineer"),
    (SINCE, "in since until till by from year before after around during of for the back summer winter spring autumn
        fall early late mid"),
    (SPELLING, "for as in"),
];

const GERMAN: Lists = &[
    (FILLER, "aeh aehm und dann ja jawohl genau richtig also so moment nein sorry entschuldigung stopp strich
        bindestrich minus schraegstrich komma leerzeichen mal die der das nochmal noch jetzt weiter gut super alles klar
        prima okay warten sie bitte halt punkt dann naechste ist es"),
    (LINK, "ist war lautet lauten heisst die der das den dem ein eine mein meine meiner meinen ihre ihr unser unsere
        nummer nummern nr kode waere mit auf von zu zum endet enden endend beginnt faengt an letzten letzte ersten
        vier drei ziffern stellen fuer hier und also aeh die da folgende folgendermassen nun jetzt noch aktuell neue
        alte lange ganze vollstaendige sie ich habe hat haben im in dann lautete karte konto"),
    (STOP, "ich du er sie es wir ihr mich dich ihn uns euch ihnen mir dir ihm mein meine meinen meinem meiner dein
        deine sein seine seinen seiner ihre ihren ihrem ihrer unser unsere unseren euer der die das den dem des ein
        eine einen einem einer eines kein keine keinen keiner und oder aber wenn weil dass als ob denn doch nur noch
        schon auch nicht nie immer oft sehr zu so wie was wer wo wann warum welche welcher welches hier da dort jetzt
        gleich heute morgen gestern bin bist ist sind war waren sei wird werden wurde wurden worden habe hast hat
        haben hatte hatten kann kannst koennen konnte konnten koennte muss muessen musste will wollen wollte soll
        sollen sollte darf duerfen mag moechte moechten gern gerne mache machen gemacht gehe gehen geht ging gegangen
        komme kommen kommt kam sage sagen sagt gesagt frage fragen fragt rufe rufen ruft anrufen angerufen spreche
        sprechen spricht gesprochen bekomme bekommen brauche brauchen braucht weiss wissen finde finden gefunden
        gebe geben gibt schreibe schreiben schreibt geschrieben schicke schicken geschickt sende senden gesendet
        bezahlt zahlen zahle gezahlt kaufe gekauft bestellt bestellen kuendigen gekuendigt aendern geaendert
        geht bitte danke hallo guten tag morgen abend tschuess wiederhoeren ja nein gut schlecht falsch richtig
        genau klar sicher zufrieden unzufrieden leider vielleicht eigentlich wirklich ziemlich ganz alle alles
        jeder jede jedes viel viele mehr wenig andere anderen anderer man jemand niemand etwas nichts an am auf aus
        bei beim bis durch fuer gegen im in ins mit nach neben ohne seit ueber um unter von vom vor waehrend wegen
        zum zur zwischen eins zwei drei vier fuenf sechs sieben acht neun zehn erste ersten zweite zweiten dritte
        dritten letzte letzten naechste neue neuen alte alten konto nummer name namen adresse karte bank geld
        rechnung bestellung passwort code problem vertrag service kunde kundin firma zeit mal tag tage woche wochen
        monat monate jahr jahre uhr wieder zurueck weg zuhause gestorben verstorben tot krank verloren geboren
        steht stehen stimmt lautet heisst heissen buchstabiert geschrieben falsch richtig bekannt hinterlegt
        wohne wohnt wohnen gerade damals dann danach vorher deshalb trotzdem sondern sonst online liegt dabei"),
    (UNIT, "tag tage tagen woche wochen monat monate monaten jahr jahre jahren stunde stunden minute minuten sekunde
        sekunden mal uhr prozent euro euros cent franken million millionen milliarde milliarden tausend hundert
        leute personen person kunden stueck artikel pakete paket flaschen seiten zeilen geraete karten konten
        rechnungen raten anrufe mails nachrichten briefe kinder grad kilometer meter zentimeter kilo gramm liter
        gigabyte megabit gigabit versuche versuch sterne punkte zimmer zeichen stellen ziffern buchstaben werktage
        werktagen arbeitstage arbeitstagen naechte oder von bis"),
    (AMOUNT, "kostet kosten bezahlt gezahlt abgebucht preis gebuehr betrag summe rechnung erstattet"),
    (MONTH, "januar jaenner februar feber maerz april mai juni juli august september oktober november dezember"),
    (ORDINAL, "erste ersten erster zweite zweiten zweiter zwoten dritte dritten dritter vierte vierten vierter
        fuenfte fuenften sechste sechsten siebte siebten siebente achte achten neunte neunten zehnte zehnten elfte
        elften zwoelfte zwoelften dreizehnte dreizehnten vierzehnte vierzehnten fuenfzehnte fuenfzehnten sechzehnte
        sechzehnten siebzehnte siebzehnten achtzehnte achtzehnten neunzehnte neunzehnten"),
    (STREET, "strasse str allee gasse chaussee"),
    (SOFT_STREET, "weg platz ring ufer damm steig markt hof pfad promenade zeile anger wall tor graben"),
    (NUMBER, "endet endend endziffer endziffern ziffern"),
    (LINK, "hinten drauf hinteren rueckseite vorne vorderseite steht endziffer"),
    (ORDINAL, "fuenfter sechster siebter siebenter achter neunter zehnter elfter zwoelfter dreizehnter vierzehnter
        fuenfzehnter sechzehnter siebzehnter achtzehnter neunzehnter zwoter zwote"),
    (BIRTH, "jahrgang geboren geborene geb geburtsdatum geburtstag geburt geburtstage"),
    (SECRET, "geheimzahl geheimnummer pruefziffer pruefnummer sicherheitscode kartenpruefnummer kundenkennwort
        zugangscode pinnummer"),
    (PASSWORD, "passwort passwoerter kennwort losungswort kundenkennwort passwortes"),
    (NUMBER, "konto kontonummer kundennummer bestellnummer auftragsnummer rechnungsnummer vertragsnummer
        vorgangsnummer referenz referenznummer ticketnummer buchungsnummer sendungsnummer paketnummer mitgliedsnummer
        versicherungsnummer policennummer zaehlernummer seriennummer bankleitzahl blz nummer aktenzeichen
        kundenkonto bestellung auftrag vorgang geraetenummer artikelnummer fallnummer kennzeichen schadensnummer
        schadennummer buchungscode"),
    (PHONE, "telefon telefonnummer handy handynummer mobilnummer rufnummer festnetz durchwahl erreichen rueckruf
        vorwahl mobil festnetznummer rueckrufnummer telefonisch"),
    (CARD, "karte karten kartennummer kreditkartennummer ec giro"),
    (ID, "ausweis ausweisnummer personalausweis personalausweisnummer reisepass reisepassnummer passnummer steuer
        steuernummer steuerid identifikationsnummer sozialversicherungsnummer rentenversicherungsnummer
        krankenversicherungsnummer fuehrerschein fuehrerscheinnummer versichertennummer steueridentifikationsnummer
        krankenkassennummer"),
    (ADDRESS, "adresse anschrift wohne wohnhaft wohnt wohnen postleitzahl plz lieferadresse rechnungsadresse
        anschriften"),
    (PLACE_PREPOSITION, "am an auf im in zum zur unter hinter vor beim"),
    (DWELLING, "wohnung hausnummer stock etage hinterhaus appartement zimmer"),
    (NAME, "name namen nachname vorname familienname heisse"),
    (OWNER, "mein meine meinen meinem meiner dein deine sein seine seiner seinem ihre ihren ihrer unsere unser eine
        einer einen keine jede diese dieser jener"),
    (STATE_OF, "vergessen falsch ungueltig abgelaufen gesperrt zurueckgesetzt funktioniert korrekt schwach
        gestohlen gehackt weg verloren noetig erforderlich geaendert abgelehnt geschuetzt sicher unsicher lang kurz
        manager feld seite link aendern zuruecksetzen eingegeben eingeben"),
    (SINCE, "im jahr jahre seit bis ab vor nach anfang ende mitte sommer winter fruehjahr herbst von"),
    (SPELLING, "anton berta caesar dora emil friedrich gustav heinrich ida julius kaufmann ludwig martha nordpol otto
        paula quelle richard samuel siegfried theodor ulrich viktor wilhelm xanthippe ypsilon zacharias wie"),
];

/// The lists that a folded word is in, by the rules of `language`.
pub(super) fn flags(word: &str, language: Language) -> Flags {
    static ENGLISH_ONLY: LazyLock<HashMap<String, Flags>> = LazyLock::new(|| map(&[COMMON, ENGLISH]));
    static GERMAN_ONLY: LazyLock<HashMap<String, Flags>> = LazyLock::new(|| map(&[COMMON, GERMAN]));
    static ANY: LazyLock<HashMap<String, Flags>> = LazyLock::new(|| map(&[COMMON, ENGLISH, GERMAN]));
    let known = match language {
        Language::English => &ENGLISH_ONLY,
        Language::German => &GERMAN_ONLY,
        Language::Any => &ANY,
    };
    known.get(word).copied().unwrap_or_default()
}

fn map(languages: &[Lists]) -> HashMap<String, Flags> {
    let mut map: HashMap<String, Flags> = HashMap::new();
    for (flags, words) in languages.iter().copied().flatten() {
        for word in words.split_whitespace() {
            let entry = map.entry(word.to_owned()).or_default();
            *entry = entry.or(*flags);
        }
    }
    map
}
