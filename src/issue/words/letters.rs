//! The words of the house's own letters to readers. `{name}` is the newsletter, `{host}` the site, `{when}` a date with
//! its time and zone.

/// The words of the letter that asks for confirmation.
#[derive(Debug, PartialEq, Eq)]
pub struct LetterWords {
    pub subject: &'static str,
    pub preview: &'static str,
    pub please_confirm: &'static str,
    pub is_this_right: &'static str,
    pub somebody_asked: &'static str,
    pub yes: &'static str,
    pub works_until: &'static str,
    pub or_copy: &'static str,
    pub not_you: &'static str,
    pub do_nothing: &'static str,
    pub block: &'static str,
    pub why: &'static str,
}

/// The words for a BCP 47 language; English for those that are not here.
#[must_use]
pub fn letter_words(language: &str) -> &'static LetterWords {
    match super::table(language) {
        "de" => &GERMAN,
        "fr" => &FRENCH,
        "es" => &SPANISH,
        "pt" => &PORTUGUESE,
        "it" => &ITALIAN,
        "nl" => &DUTCH,
        "zh" => &CHINESE,
        "zh-hant" => &CHINESE_TRADITIONAL,
        "ja" => &JAPANESE,
        "ar" => &ARABIC,
        _ => &ENGLISH,
    }
}

static ENGLISH: LetterWords = LetterWords {
    subject: "Please confirm: {name}",
    preview: "One click, and the next issue comes to you. Not you? Do nothing.",
    please_confirm: "Please confirm",
    is_this_right: "Is this the right address?",
    somebody_asked: "Somebody, we hope it was you, asked us to send {name} here.",
    yes: "Yes, send it to me",
    works_until: "The link works until {when}.",
    or_copy: "If the button does not, copy this address into your browser:",
    not_you: "Was this not you?",
    do_nothing: "Do nothing, and you will not hear from us again. If you want to be sure that nobody can enter your address a second time:",
    block: "This was not me, block my address",
    why: "You get this one mail because this address was entered at {host} on {when}. You are not subscribed.",
};

static GERMAN: LetterWords = LetterWords {
    subject: "Bitte bestätigen: {name}",
    preview: "Ein Klick, und die nächste Ausgabe kommt zu Ihnen. Das waren nicht Sie? Tun Sie nichts.",
    please_confirm: "Bitte bestätigen",
    is_this_right: "Ist das die richtige Adresse?",
    somebody_asked: "Jemand, hoffentlich Sie selbst, hat uns gebeten, {name} hierher zu schicken.",
    yes: "Ja, schicken Sie es mir",
    works_until: "Der Link gilt bis {when}.",
    or_copy: "Falls der Knopf nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:",
    not_you: "Das waren nicht Sie?",
    do_nothing: "Tun Sie nichts, und Sie hören nicht wieder von uns. Wenn Sie sichergehen wollen, dass niemand Ihre Adresse noch einmal einträgt:",
    block: "Das war ich nicht, meine Adresse sperren",
    why: "Sie erhalten diese eine E-Mail, weil diese Adresse am {when} auf {host} eingetragen wurde. Sie haben noch nichts abonniert.",
};

static FRENCH: LetterWords = LetterWords {
    subject: "Merci de confirmer\u{a0}: {name}",
    preview: "Un clic, et le prochain numéro vous parviendra. Ce n’était pas vous\u{a0}? Ne faites rien.",
    please_confirm: "À confirmer",
    is_this_right: "Est-ce la bonne adresse\u{a0}?",
    somebody_asked: "Quelqu’un, nous espérons que c’était vous, nous a demandé d’envoyer {name} à cette adresse.",
    yes: "Oui, envoyez-le-moi",
    works_until: "Le lien fonctionne jusqu’au {when}.",
    or_copy: "Si le bouton ne fonctionne pas, copiez cette adresse dans votre navigateur\u{a0}:",
    not_you: "Ce n’était pas vous\u{a0}?",
    do_nothing: "Ne faites rien, et vous n’entendrez plus parler de nous. Pour être sûr que personne n’inscrive votre adresse une seconde fois\u{a0}:",
    block: "Ce n’était pas moi, bloquez mon adresse",
    why: "Vous recevez ce seul message parce que cette adresse a été saisie sur {host} le {when}. Vous n’êtes pas abonné.",
};

static SPANISH: LetterWords = LetterWords {
    subject: "Confirme su suscripción: {name}",
    preview: "Un clic y recibirá el próximo número. ¿No fue usted? No haga nada.",
    please_confirm: "Por confirmar",
    is_this_right: "¿Es esta la dirección correcta?",
    somebody_asked: "Alguien, esperamos que usted, nos pidió enviar {name} a esta dirección.",
    yes: "Sí, envíenmelo",
    works_until: "El enlace funciona hasta el {when}.",
    or_copy: "Si el botón no funciona, copie esta dirección en su navegador:",
    not_you: "¿No fue usted?",
    do_nothing: "No haga nada y no volverá a saber de nosotros. Si quiere asegurarse de que nadie pueda introducir su dirección otra vez:",
    block: "No fui yo, bloqueen mi dirección",
    why: "Recibe este único correo porque esta dirección se introdujo en {host} el {when}. No está suscrito.",
};

static PORTUGUESE: LetterWords = LetterWords {
    subject: "Confirme a subscrição: {name}",
    preview: "Um clique e recebe a próxima edição. Não foi você? Não faça nada.",
    please_confirm: "Por confirmar",
    is_this_right: "Este é o endereço certo?",
    somebody_asked: "Alguém, esperamos que você, pediu-nos que enviássemos {name} para aqui.",
    yes: "Sim, enviem-ma",
    works_until: "A ligação funciona até {when}.",
    or_copy: "Se o botão não funcionar, copie este endereço para o seu navegador:",
    not_you: "Não foi você?",
    do_nothing: "Não faça nada e não voltaremos a escrever-lhe. Se quiser ter a certeza de que ninguém volta a indicar o seu endereço:",
    block: "Não fui eu, bloqueiem o meu endereço",
    why: "Recebe esta única mensagem porque este endereço foi indicado em {host}, {when}. Não está subscrito.",
};

static ITALIAN: LetterWords = LetterWords {
    subject: "Conferma l’iscrizione: {name}",
    preview: "Un clic e il prossimo numero arriva da te. Non eri tu? Non fare nulla.",
    please_confirm: "Da confermare",
    is_this_right: "È l’indirizzo giusto?",
    somebody_asked: "Qualcuno, speriamo tu, ci ha chiesto di inviare qui {name}.",
    yes: "Sì, inviatemela",
    works_until: "Il collegamento vale fino a {when}.",
    or_copy: "Se il pulsante non funziona, copia questo indirizzo nel browser:",
    not_you: "Non eri tu?",
    do_nothing: "Non fare nulla e non ti scriveremo più. Se vuoi essere certo che nessuno inserisca di nuovo il tuo indirizzo:",
    block: "Non ero io, bloccate il mio indirizzo",
    why: "Ricevi questo unico messaggio perché questo indirizzo è stato inserito su {host}, {when}. Non sei iscritto.",
};

static DUTCH: LetterWords = LetterWords {
    subject: "Bevestig uw aanmelding: {name}",
    preview: "Eén klik en het volgende nummer komt naar u toe. Was u dit niet? Doe niets.",
    please_confirm: "Graag bevestigen",
    is_this_right: "Is dit het juiste adres?",
    somebody_asked: "Iemand, hopelijk uzelf, heeft ons gevraagd {name} hierheen te sturen.",
    yes: "Ja, stuur het mij",
    works_until: "De link werkt tot {when}.",
    or_copy: "Werkt de knop niet, kopieer dan dit adres naar uw browser:",
    not_you: "Was u dit niet?",
    do_nothing: "Doe niets, dan hoort u niet meer van ons. Wilt u zeker weten dat niemand uw adres nog eens invult:",
    block: "Ik was het niet, blokkeer mijn adres",
    why: "U ontvangt deze ene mail omdat dit adres op {when} is ingevuld op {host}. U bent niet geabonneerd.",
};

static CHINESE: LetterWords = LetterWords {
    subject: "请确认订阅：{name}",
    preview: "点击一次，下一期就会送达。不是您本人？无需任何操作。",
    please_confirm: "请确认",
    is_this_right: "这个地址正确吗？",
    somebody_asked: "有人（希望是您本人）请我们把《{name}》发送到这个地址。",
    yes: "是的，请发给我",
    works_until: "链接有效期至{when}。",
    or_copy: "如果按钮无法使用，请将此地址复制到浏览器：",
    not_you: "不是您本人？",
    do_nothing: "无需任何操作，我们不会再给您写信。如果想确保没有人再次填写您的地址：",
    block: "不是我，请屏蔽我的地址",
    why: "您收到这一封邮件，是因为有人于{when}在 {host} 填写了此地址。您尚未订阅。",
};

static CHINESE_TRADITIONAL: LetterWords = LetterWords {
    subject: "請確認訂閱：{name}",
    preview: "點擊一次，下一期就會送達。不是您本人？無需任何操作。",
    please_confirm: "請確認",
    is_this_right: "這個地址正確嗎？",
    somebody_asked: "有人（希望是您本人）請我們把《{name}》寄到這個地址。",
    yes: "是的，請寄給我",
    works_until: "連結有效期至{when}。",
    or_copy: "如果按鈕無法使用，請將此地址複製到瀏覽器：",
    not_you: "不是您本人？",
    do_nothing: "無需任何操作，我們不會再寫信給您。如果想確保沒有人再次填寫您的地址：",
    block: "不是我，請封鎖我的地址",
    why: "您收到這一封郵件，是因為有人於{when}在 {host} 填寫了此地址。您尚未訂閱。",
};

static JAPANESE: LetterWords = LetterWords {
    subject: "購読のご確認：{name}",
    preview: "ワンクリックで次号からお届けします。お心当たりがなければ、何もする必要はありません。",
    please_confirm: "ご確認ください",
    is_this_right: "このアドレスでよろしいですか？",
    somebody_asked: "{name} をこのアドレスに送るよう、どなたか（おそらくご本人）から申し込みがありました。",
    yes: "はい、送ってください",
    works_until: "リンクの有効期限は{when}です。",
    or_copy: "ボタンが使えない場合は、次のアドレスをブラウザーに貼り付けてください。",
    not_you: "お心当たりがありませんか？",
    do_nothing: "何もしなければ、今後お送りすることはありません。このアドレスが再び入力されないようにするには：",
    block: "申し込んでいません。アドレスをブロックする",
    why: "このメールは、{when}に {host} でこのアドレスが入力されたため、一度だけお送りしています。購読はまだ始まっていません。",
};

static ARABIC: LetterWords = LetterWords {
    subject: "يرجى التأكيد: {name}",
    preview: "نقرة واحدة ويصلك العدد القادم. لم تطلب هذا؟ لا تفعل شيئًا.",
    please_confirm: "يرجى التأكيد",
    is_this_right: "هل هذا العنوان صحيح؟",
    somebody_asked: "طلب أحدهم، ونأمل أن يكون أنت، أن نرسل {name} إلى هنا.",
    yes: "نعم، أرسلوها إليّ",
    works_until: "يعمل الرابط حتى {when}.",
    or_copy: "إن لم يعمل الزر فانسخ هذا العنوان إلى متصفحك:",
    not_you: "لم تكن أنت؟",
    do_nothing: "لا تفعل شيئًا ولن نراسلك مجددًا. وإن أردت ألا يُدخل أحد عنوانك مرة أخرى:",
    block: "لم أكن أنا، احجبوا عنواني",
    why: "وصلتك هذه الرسالة الوحيدة لأن هذا العنوان أُدخل في {host} يوم {when}. لستَ مشتركًا.",
};
