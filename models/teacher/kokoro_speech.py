"""Reads plain sentences in many voices, as calm speech for training: WAV at 8 kHz and a manifest.

    python kokoro_speech.py --model kokoro.onnx --voices DIR --out DIR [--clips N]

Kokoro-82M (Apache-2.0) has some fifty voices; two of them mixed are a voice of their own. It has no emotions to choose, and
these sentences say nothing that would move anybody: what comes out is labelled neutral, and nothing else. The manifest is
OUT/kokoro.csv, its paths are from the folder that OUT is in. demo/README.md says how to get the model and the voices (DIR
holds one .bin a voice). Needs numpy, scipy, soundfile, onnxruntime and kokoro-onnx.
"""

import argparse
import pathlib

import numpy as np
import onnxruntime
import soundfile
from kokoro_onnx import Kokoro
from scipy import signal

SENTENCES = {
    "en": """I ordered the kettle on the third of March, and the order number is on the letter.
Could you tell me where the parcel is at the moment?
My account number is seven four two, nine one six, zero eight.
The appointment was moved to Thursday afternoon, at a quarter past two.
It is the second floor, the blue door on the left.
We would like to change the delivery address from the first of the month.
The meter reads four thousand three hundred and twelve.
The bags stand under the table where they always stand.
In seven hours it will be time to leave for the airport.
Would you please repeat the last four digits for me?
I have the contract in front of me, and it says twenty four months.
The name is spelled with one n and two t's.
The router has a green light and a second light that blinks.
I would like to know what the opening hours are on Saturday.
The bus stops at the corner, and then it goes on to the station.
You will find the form in the second drawer from the top.
It is a white car with four doors, and it stands in the yard.
The invoice is dated the ninth of October.
I am calling about the letter that came this week.
There are two people living in the flat, and one of them is a child.
The first payment is due at the end of next month.
My telephone number has not changed since last year.
The library is open from nine until six.
Please send the confirmation to the address that you have.
The train leaves from platform five at ten forty.
We have a garden behind the house and a shed next to it.
I will be at home tomorrow between eight and twelve.
The reference is printed in the upper right corner of the page.""",
    "es": """El pedido llegó el martes por la tarde y lo dejaron en la portería.
Mi número de cliente es siete cuatro dos, nueve uno seis.
La cita es el jueves a las dos y cuarto en la segunda planta.
Quisiera saber cuál es el horario de apertura los sábados.
La factura tiene fecha del nueve de octubre.
El autobús para en la esquina y luego sigue hasta la estación.""",
    "fr-fr": """La commande est arrivée mardi après-midi, elle est chez le gardien.
Mon numéro de client est le sept cent quarante-deux, neuf cent seize.
Le rendez-vous est jeudi à deux heures et quart, au deuxième étage.
Je voudrais connaître les heures d'ouverture du samedi.
La facture est datée du neuf octobre.
Le bus s'arrête au coin de la rue, puis il continue jusqu'à la gare.""",
    "it": """L'ordine è arrivato martedì pomeriggio ed è in portineria.
Il mio numero cliente è sette quattro due, nove uno sei.
L'appuntamento è giovedì alle due e un quarto, al secondo piano.
Vorrei sapere qual è l'orario di apertura del sabato.
La fattura porta la data del nove ottobre.
L'autobus si ferma all'angolo e poi prosegue fino alla stazione.""",
    "pt-br": """O pedido chegou na terça-feira à tarde e está na portaria.
O meu número de cliente é sete quatro dois, nove um seis.
A consulta é na quinta-feira às duas e quinze, no segundo andar.
Eu gostaria de saber qual é o horário de funcionamento aos sábados.
A fatura tem a data de nove de outubro.
O ônibus para na esquina e depois segue até a estação.""",
}
# What a voice's first letter says of its language; voices of other languages read English with their accent.
LANGUAGES = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "i": "it", "p": "pt-br"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--voices", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--clips", type=int, default=400)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    voices = {file.stem: np.fromfile(file, np.float32).reshape(-1, 1, 256) for file in sorted(args.voices.glob("*.bin"))}
    names = sorted(voices)
    np.savez(args.out / "voices.npz", **voices)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    kokoro = Kokoro.from_session(session, str(args.out / "voices.npz"))

    manifest = (args.out / "kokoro.csv").open("w")
    manifest.write("path,emotion,speaker,corpus,lang\n")
    for clip in range(args.clips):
        rng = np.random.default_rng([5, clip])
        # First each voice by itself, then mixtures.
        first, mixed = names[clip % len(names)], clip >= len(names)
        second = names[rng.integers(len(names))] if mixed else first
        share = float(rng.uniform(0.2, 0.8)) if mixed else 1.0
        lang = LANGUAGES.get(first[0], "en-us")
        text = rng.choice(SENTENCES[lang if lang in SENTENCES else "en"].split("\n"))
        style = (voices[first] * share + voices[second] * (1 - share)).astype(np.float32)
        samples, rate = kokoro.create(str(text), voice=style, speed=float(rng.uniform(0.85, 1.3)), lang=lang)
        samples = signal.resample_poly(samples, 8000, rate)
        name = f"k{clip:04}.wav"
        soundfile.write(args.out / name, (samples / np.abs(samples).max() * 0.5 * 32767).astype(np.int16), 8000)
        manifest.write(f"{args.out.name}/{name},neutral,kokoro_{clip:04},kokoro,{lang[:2]}\n")
        manifest.flush()


if __name__ == "__main__":
    main()
