/** What the API's methods ask of a token's grants. */
export interface Grants {
	sipAdmin: boolean;
	sipCall: boolean;
	/** the room of `video.room` that `video.roomAdmin` is for; unset without it */
	adminOfRoom?: string;
	/** `video.destinationRoom`: where its participants may be moved */
	destinationRoom?: string;
}
