import { DomainError } from "@trunkline/domain";

export function trunkNotFound(): DomainError {
	return new DomainError("not_found", "requested sip trunk does not exist");
}

/** What an update of either kind must have; LiveKit's texts. */
export function checkTrunkUpdate(request: {
	sipTrunkId: string;
	action: { case: "replace"; value: { sipTrunkId: string } } | { case: "update" | undefined };
}): void {
	const { sipTrunkId, action } = request;
	if (sipTrunkId === "") throw new DomainError("invalid_argument", "trunk id must be set");
	if (action.case === undefined) throw new DomainError("invalid_argument", "missing or unsupported update action");
	if (action.case === "replace" && action.value.sipTrunkId !== "" && action.value.sipTrunkId !== sipTrunkId)
		throw new DomainError("invalid_argument", "trunk id in the info must be empty or match the id in the update");
}
