/** What a promise came to, as plain data. */
export async function attempt(what) {
  try {
    await what();
    return 'done';
  } catch (error) {
    const { name, message, code, errno, syscall, hint } = error;
    return { name, message, code, errno, syscall, hint };
  }
}
