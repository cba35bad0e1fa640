//! Was das Telefon der Demo sagt.

use crate::text::declared::PhoneTexts;

pub(in crate::text) static TEXTS: PhoneTexts = PhoneTexts {
    title: "Die Demo anrufen",
    below: "Ihr Mikrofon, per WebRTC durch Sidetone zu einem Agenten, der eine Aufnahme ist. Nichts davon verlässt diesen Rechner.",
    needs_script: "Diese Seite telefoniert mit einem Skript. Erlauben Sie ihr Skripte und laden Sie sie neu.",
    handset: "Telefon",
    calls: "Ruft an:",
    callee: "den Agenten vom Band",
    microphone: "Mikrofon",
    call: "Anrufen",
    call_again: "Noch einmal anrufen",
    hang_up: "Auflegen",
    mute: "Stumm schalten",
    unmute: "Stummschaltung aufheben",
    keys: "Tasten",
    star: "Stern",
    hash: "Raute",
    opt_out: "Mit {} widersprechen Sie: Sidetone hört sofort auf zuzuhören und löscht, was es geschlossen hat.",
    what_happens: "Was geschieht",
    step_microphone: "Ihr Browser fragt, ob diese Seite das Mikrofon benutzen darf. Erlauben Sie es.",
    step_told: "Der Agent nimmt ab, und Ihnen wird (auf Englisch) gesagt, dass Ihre Stimme ausgewertet wird. Vorher wird nichts \
                angehört.",
    step_speak: "Sprechen Sie zehn Sekunden, dann im Ärger. Der Agent ist eine Aufnahme und redet von selbst weiter.",
    watch: "Den Anruf beobachten",
    watch_how: "Die Seite fragt nach einem Token: Das Terminal, in dem die Demo läuft, zeigt eines für die Teamleitung.",
    watch_terminal: "Das Terminal, in dem die Demo läuft, zeigt, wie der Anruf klingt.",
    new_tab: "(öffnet in einem neuen Tab)",
    connection: "Wie verbunden ist",
    signalling: "Signalisierung",
    media: "Medien",
    codec: "Codec",
    packets: "Pakete",
    plain: "Die Signalisierung ist unverschlüsselt.",
    plain_why: "Ihr Browser kennt das Zertifikat der Demo nicht, das eben erst und nur für diesen Rechner entstanden ist; darum ist \
                die Seite auf WebSocket ohne TLS ausgewichen. Sie verlässt diesen Rechner nicht. Die Medien sind trotzdem \
                verschlüsselt. So geht es mit TLS:",
    certificate_open: "– diese Adresse öffnen.",
    certificate_accept: "Ihr Browser warnt vor dem Zertifikat. Wählen Sie „Erweitert“ und gehen Sie weiter. Die Seite danach \
                         meldet 426: Das ist richtig, sie ist keine Seite für Menschen.",
    certificate_back: "Hierher zurückkommen und diese Seite neu laden.",
    opening: "Sidetone wird gesucht …",
    ready: "Bereit zum Anruf",
    connecting: "Verbinde …",
    asking: "Warte auf Ihr Mikrofon: Erlauben Sie es in der Frage des Browsers …",
    calling: "Rufe an …",
    ringing: "Es klingelt …",
    talking: "Im Gespräch",
    muted: "Im Gespräch, stumm: Niemand hört Sie",
    ended: "Der Anruf ist vorbei",
    pressed: "Taste gedrückt:",
    packets_both: "{} gesendet, {} empfangen",
    by_wss: "WebSocket über TLS (wss)",
    by_ws: "WebSocket ohne TLS (ws)",
    no_microphone: "Kein Mikrofon gefunden. Schließen Sie eines an oder wählen Sie eines in den Einstellungen Ihres Systems, und \
                    rufen Sie noch einmal an.",
    refused_microphone: "Diese Seite darf das Mikrofon nicht benutzen. Erlauben Sie es über das Zeichen neben der Adresse, und rufen \
                         Sie noch einmal an.",
    busy_microphone: "Das Mikrofon lässt sich nicht benutzen: Vielleicht hat es ein anderes Programm. Schließen Sie das, und rufen \
                      Sie noch einmal an.",
    unsafe_page: "Browser geben das Mikrofon nur Seiten, die unterwegs niemand ändern kann. Öffnen Sie diese Seite unter der \
                  Adresse, die das Terminal zeigt, auf dem Rechner, auf dem die Demo läuft.",
    no_answer: "Nach 30 Sekunden hat niemand abgenommen.",
    busy: "Der Agent ist in einem anderen Gespräch. Ist diese Seite in einem zweiten Tab offen?",
    refused: "Der Anruf wurde abgelehnt.",
    insecure: "Der Anruf wurde abgelehnt, weil seine Medien nicht wie verlangt geschützt sind. Vielleicht ist dieser Browser zu \
               alt für DTLS-SRTP.",
    no_media: "Der Anruf steht, aber zwischen diesem Browser und Sidetone kommt kein Ton durch (UDP auf diesem Rechner). \
               Vielleicht sperrt eine Firewall oder eine Erweiterung WebRTC.",
    unreachable: "Sidetone ist nicht zu erreichen. Läuft die Demo noch? Starten Sie sie neu, und öffnen Sie die neue Adresse, die \
                  sie zeigt.",
    lost: "Die Verbindung zu Sidetone ist abgebrochen. Läuft die Demo noch?",
    failed: "Der Anruf ist gescheitert:",
};
