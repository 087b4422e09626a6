// Tells a sign-up form which time zone this device is in, and the preferences page which it would be. Nothing is sent
// before its reader presses the button; without this script the newsletter's own zone stands in.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
for (const field of document.querySelectorAll("input[data-zone]")) field.value = zone;
for (const field of document.querySelectorAll("select[data-zone]")) {
  if (!field.value && [...field.options].some((option) => option.value === zone)) field.value = zone;
}
for (const hint of document.querySelectorAll("[data-zone-hint]")) {
  if (!zone) continue;
  hint.textContent = hint.dataset.zoneHint.replace("{zone}", zone);
  hint.hidden = false;
}
