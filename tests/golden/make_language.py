"""Writes language.txt for tests/unit/language_test.c: what libexttextcat 3.4.5 (libexttextcat-2.0.so.0
of Debian 12, asked through ctypes) guesses for sentences in 26 languages written for this test.

    python3 make_language.py > language.txt
    python3 make_language.py --machine N > lines      N texts from the translated messages (*.mo) of this
                                                      machine, instead: for a comparison at large

Lines: language, TAB, the library's candidates with commas (? when it gives none), TAB, text.
A new handle is made for each sentence. Buffers end in a NUL, since the library reads past the size
it is told where a text holds runs of white space or digits."""
import ctypes
import gettext
import glob
import os
import sys

FOLDER = b"/usr/share/libexttextcat/"
SENTENCES = """
en|The ferry leaves at half past seven, and whoever comes too late must wait until the next morning. My sister once slept on the pier because nobody had told her about the new timetable.
en|Put the flour into a large bowl, make a hole in the middle and pour the warm milk into it; then leave everything alone for a quarter of an hour.
de|Die Fähre fährt um halb acht ab, und wer zu spät kommt, muss bis zum nächsten Morgen warten. Meine Schwester hat einmal auf dem Steg geschlafen, weil ihr niemand den neuen Fahrplan gezeigt hatte.
de|Geben Sie das Mehl in eine große Schüssel, drücken Sie eine Mulde in die Mitte und gießen Sie die warme Milch hinein; dann lassen Sie alles eine Viertelstunde ruhen.
fr|Le bac part à sept heures et demie, et ceux qui arrivent trop tard doivent attendre le lendemain matin. Ma sœur a dormi une fois sur le quai parce que personne ne lui avait montré le nouvel horaire.
fr|Versez la farine dans un grand saladier, creusez un puits au milieu et ajoutez le lait tiède ; laissez ensuite reposer le tout pendant un quart d'heure.
es|El barco sale a las siete y media, y quien llega demasiado tarde tiene que esperar hasta la mañana siguiente. Mi hermana durmió una vez en el muelle porque nadie le había enseñado el nuevo horario.
es|Ponga la harina en un cuenco grande, haga un hueco en el centro y eche la leche tibia; después deje reposar todo durante un cuarto de hora.
it|Il traghetto parte alle sette e mezza, e chi arriva troppo tardi deve aspettare fino al mattino dopo. Una volta mia sorella ha dormito sul molo perché nessuno le aveva mostrato il nuovo orario.
it|Mettete la farina in una ciotola grande, fate un buco nel mezzo e versateci il latte tiepido; poi lasciate riposare tutto per un quarto d'ora.
pt|O barco sai às sete e meia, e quem chega tarde demais tem de esperar até à manhã seguinte. A minha irmã dormiu uma vez no cais porque ninguém lhe tinha mostrado o novo horário.
pt|Coloque a farinha numa tigela grande, faça um buraco no meio e deite o leite morno; depois deixe descansar tudo durante um quarto de hora.
nl|De veerboot vertrekt om half acht, en wie te laat komt moet tot de volgende ochtend wachten. Mijn zus heeft een keer op de steiger geslapen omdat niemand haar de nieuwe dienstregeling had laten zien.
nl|Doe de bloem in een grote kom, maak een kuiltje in het midden en giet de lauwe melk erin; laat daarna alles een kwartier rusten.
da|Færgen sejler klokken halv otte, og den der kommer for sent, må vente til næste morgen. Min søster sov engang på molen, fordi ingen havde vist hende den nye køreplan.
da|Kom melet i en stor skål, lav et hul i midten og hæld den lune mælk i; lad derefter det hele hvile i et kvarter.
sv|Färjan går klockan halv åtta, och den som kommer för sent får vänta till nästa morgon. Min syster sov en gång på bryggan eftersom ingen hade visat henne den nya tidtabellen.
sv|Häll mjölet i en stor skål, gör ett hål i mitten och häll i den ljumma mjölken; låt sedan allting vila i en kvart.
nb|Fergen går klokken halv åtte, og den som kommer for sent, må vente til neste morgen. Søsteren min sov en gang på brygga fordi ingen hadde vist henne den nye rutetabellen.
fi|Lautta lähtee puoli kahdeksalta, ja joka tulee liian myöhään, joutuu odottamaan seuraavaan aamuun. Sisareni nukkui kerran laiturilla, koska kukaan ei ollut näyttänyt hänelle uutta aikataulua.
et|Praam väljub kell pool kaheksa ja kes liiga hilja tuleb, peab ootama järgmise hommikuni. Mu õde magas kord kai peal, sest keegi ei olnud talle uut sõiduplaani näidanud.
pl|Prom odpływa o wpół do ósmej, a kto przyjdzie za późno, musi czekać do następnego ranka. Moja siostra spała kiedyś na pomoście, bo nikt nie pokazał jej nowego rozkładu.
pl|Wsyp mąkę do dużej miski, zrób dołek pośrodku i wlej ciepłe mleko; potem odstaw wszystko na kwadrans.
cs|Trajekt odplouvá v půl osmé, a kdo přijde příliš pozdě, musí čekat do příštího rána. Moje sestra jednou spala na molu, protože jí nikdo neukázal nový jízdní řád.
hu|A komp fél nyolckor indul, és aki túl későn érkezik, annak másnap reggelig kell várnia. A nővérem egyszer a mólón aludt, mert senki sem mutatta meg neki az új menetrendet.
ro|Feribotul pleacă la șapte și jumătate, iar cine ajunge prea târziu trebuie să aștepte până a doua zi dimineața. Sora mea a dormit odată pe chei pentru că nimeni nu îi arătase noul orar.
tr|Vapur saat yedi buçukta kalkıyor ve geç kalanlar ertesi sabaha kadar beklemek zorunda. Kız kardeşim bir keresinde iskelede uyudu, çünkü kimse ona yeni tarifeyi göstermemişti.
ru|Паром отходит в половине восьмого, и кто приходит слишком поздно, тот ждёт до следующего утра. Моя сестра однажды спала на пристани, потому что никто не показал ей новое расписание.
ru|Насыпьте муку в большую миску, сделайте углубление посередине и влейте тёплое молоко; затем оставьте всё на четверть часа.
uk|Пором відходить о пів на восьму, і хто приходить надто пізно, мусить чекати до наступного ранку. Моя сестра якось спала на пристані, бо ніхто не показав їй нового розкладу.
bg|Фериботът тръгва в седем и половина и който закъснее, трябва да чака до следващата сутрин. Сестра ми веднъж спа на кея, защото никой не ѝ беше показал новото разписание.
el|Το πλοίο φεύγει στις επτάμισι και όποιος έρχεται πολύ αργά πρέπει να περιμένει μέχρι το επόμενο πρωί. Η αδελφή μου κοιμήθηκε κάποτε στην προβλήτα, γιατί κανείς δεν της είχε δείξει το νέο πρόγραμμα.
he|המעבורת יוצאת בשבע וחצי, ומי שמגיע מאוחר מדי צריך לחכות עד הבוקר שלמחרת. אחותי ישנה פעם על הרציף כי אף אחד לא הראה לה את לוח הזמנים החדש.
ar|تغادر العبارة في السابعة والنصف، ومن يصل متأخرا جدا عليه أن ينتظر حتى صباح اليوم التالي. نامت أختي ذات مرة على الرصيف لأن أحدا لم يخبرها بالمواعيد الجديدة.
hi|नाव साढ़े सात बजे निकलती है और जो देर से आता है उसे अगली सुबह तक इंतज़ार करना पड़ता है। मेरी बहन एक बार घाट पर ही सो गई थी क्योंकि किसी ने उसे नई समय सारणी नहीं दिखाई थी।
ja|フェリーは七時半に出ますので、遅れて来た人は次の朝まで待たなければなりません。新しい時刻表を誰も見せてくれなかったので、妹は一度桟橋で寝たことがあります。
ko|배는 일곱 시 반에 떠나고 너무 늦게 오는 사람은 다음 날 아침까지 기다려야 합니다. 아무도 새 시간표를 보여 주지 않아서 내 동생은 한 번 부두에서 잠을 잤습니다.
zh|渡轮七点半开船，来得太晚的人必须等到第二天早上。我的妹妹有一次在码头上睡了一夜，因为没有人告诉她新的时刻表。后来她总是提前一个小时到那里。
vi|Chuyến phà khởi hành lúc bảy giờ rưỡi, ai đến muộn quá thì phải đợi đến sáng hôm sau. Em gái tôi có lần đã ngủ trên bến tàu vì không ai cho em xem lịch chạy mới.
id|Kapal feri berangkat pukul setengah delapan, dan siapa yang datang terlambat harus menunggu sampai keesokan paginya. Adik saya pernah tidur di dermaga karena tidak ada yang memberitahunya jadwal baru.
"""


class Candidate(ctypes.Structure):
    _fields_ = [("score", ctypes.c_int), ("name", ctypes.c_char_p)]


library = ctypes.CDLL("libexttextcat-2.0.so.0")
library.special_textcat_Init.restype = ctypes.c_void_p
library.textcat_GetClassifyFullOutput.restype = ctypes.POINTER(Candidate)
library.textcat_GetClassifyFullOutput.argtypes = [ctypes.c_void_p]
library.textcat_ReleaseClassifyFullOutput.argtypes = [ctypes.c_void_p, ctypes.POINTER(Candidate)]
library.textcat_ClassifyFull.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t,
                                         ctypes.POINTER(Candidate)]
library.textcat_Done.argtypes = [ctypes.c_void_p]


def guess(handle, text):
    data = text.encode()[:1000].decode(errors="ignore").encode()
    found = library.textcat_GetClassifyFullOutput(handle)
    n = library.textcat_ClassifyFull(handle, data, len(data), found)
    names = [found[i].name.decode().split("-")[0] for i in range(max(n, 0))]
    library.textcat_ReleaseClassifyFullOutput(handle, found)
    return ",".join(names) or "?"


def handle():
    return library.special_textcat_Init(FOLDER + b"fpdb.conf", FOLDER)


def messages(most):
    """Texts of 150 to 2000 bytes from translated messages, as many of each language."""
    by_language = {}
    for path in sorted(glob.glob("/usr/share/locale/*/LC_MESSAGES/*.mo")):
        language = path.split("/")[4].split("_")[0].split("@")[0]
        if language != "en" and os.path.getsize(path) > 20000:
            by_language.setdefault(language, []).append(path)
    by_language = {k: v for k, v in by_language.items() if len(v) >= 4}
    for language, paths in sorted(by_language.items()):
        made = 0
        for path in paths:
            try:
                with open(path, "rb") as f:
                    catalog = gettext.GNUTranslations(f)._catalog
            except UnicodeDecodeError:
                continue
            text = ""
            for k, v in sorted((str(k), v) for k, v in catalog.items()):
                if k == "" or v == k or len(v) < 30 or made * len(by_language) >= most:
                    continue
                text += " ".join(v.split()) + " "
                if len(text.encode()) >= 150 + made * 37 % 1000:
                    yield language, text.strip()
                    text, made = "", made + 1


if sys.argv[1:2] == ["--machine"]:
    one = handle()
    for label, sentence in messages(int(sys.argv[2])):
        print(label, guess(one, sentence), sentence, sep="\t")
else:
    for line in SENTENCES.strip().split("\n"):
        label, sentence = line.split("|")
        new = handle()
        print(label, guess(new, sentence), sentence, sep="\t")
        library.textcat_Done(new)
