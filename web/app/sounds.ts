/** Two soft tones, made here: nothing is fetched, and no sound carries a name. */

const RING_SECONDS = 2.4;
const TONES = [587.33, 739.99] as const; // D5 and F sharp 5

/** Rings until the returned function is called. Silent where the browser allows no sound. */
export function ring(): () => void {
  let playing: AudioContext;
  try {
    playing = new AudioContext();
  } catch {
    return () => undefined;
  }
  const once = (): void => {
    if (playing.state === "closed") return;
    for (const [index, pitch] of TONES.entries()) tone(playing, pitch, playing.currentTime + index * 0.22);
    if ("vibrate" in navigator) navigator.vibrate([180, 120, 180]);
  };
  once();
  const timer = setInterval(once, RING_SECONDS * 1000);
  return () => {
    clearInterval(timer);
    if ("vibrate" in navigator) navigator.vibrate(0);
    void playing.close();
  };
}

function tone(context: AudioContext, pitch: number, at: number): void {
  const oscillator = context.createOscillator();
  const volume = context.createGain();
  oscillator.type = "sine";
  oscillator.frequency.value = pitch;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.12, at + 0.03);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
  oscillator.connect(volume).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + 0.55);
}
